/** Small helpers over the DOM. */

interface Parts {
  class?: string;
  text?: string;
  testid?: string;
  children?: (Node | string)[];
  attributes?: Record<string, string>;
}

/** A new element: `element("p", { class: "note", text: "..." })`. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  parts: Parts = {},
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  if (parts.class) node.className = parts.class;
  if (parts.text !== undefined) node.textContent = parts.text;
  if (parts.testid) node.dataset.testid = parts.testid;
  for (const [name, value] of Object.entries(parts.attributes ?? {})) {
    node.setAttribute(name, value);
  }
  if (parts.children) node.append(...parts.children);
  return node;
}

/** The element of the page with this id; the template holds every one the code asks for. */
export function find<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const node = document.getElementById(id);
  if (!(node instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return node;
}

/** A button that shows an icon and a label only screen readers and tooltips see. */
export function iconButton(icon: string, label: string, testid: string): HTMLButtonElement {
  return element("button", {
    class: "icon-button",
    testid,
    attributes: { type: "button", "aria-label": label, title: label, "data-icon": icon },
  });
}

/** Calls `action` at most once a frame, however often it is asked for. */
export function oncePerFrame(action: () => void): () => void {
  let queued = false;
  return () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      action();
    });
  };
}
