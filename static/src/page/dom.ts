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

/** Before `box` goes away with the focus in it: the focus goes where the person goes on. */
export function keepFocus(box: HTMLElement): void {
  if (!box.contains(document.activeElement)) return;
  const places = [find("input", HTMLTextAreaElement), find("load", HTMLButtonElement)];
  places.find((each) => each.checkVisibility() && !each.disabled)?.focus({ preventScroll: true });
}

/**
 * Whether the focus may be taken to the message box: nobody is anywhere else, other than on the
 * start card or, outside dialogs, where they have been waiting.
 */
export function isFree(waiting: Element | null = null): boolean {
  const { activeElement, body } = document;
  if (!activeElement || activeElement === body) return true;
  if (find("start", HTMLElement).contains(activeElement)) return true;
  return activeElement === waiting && !activeElement.closest("dialog");
}

/** The key belongs to an input method, which takes or drops a character with it. */
export function composes({ isComposing, keyCode }: KeyboardEvent): boolean {
  // Safari ends composing before it sends the key that ended it, and marks that key with 229.
  return isComposing || keyCode === 229;
}

/** A button that shows an icon and a label only screen readers and tooltips see. */
export function iconButton(icon: string, label: string, testid: string): HTMLButtonElement {
  return element("button", {
    class: "icon-button",
    testid,
    attributes: { type: "button", "aria-label": label, title: label, "data-icon": icon },
  });
}

/** Of the time, what `paced` leaves to others: three times as much as its action takes. */
const LEFT = 3;

/** Calls `action` at most once a frame, and less often when it takes long. */
export function paced(action: () => void): () => void {
  let queued = false;
  let rest = 0; // until then others have their turn
  const run = () => {
    queued = false;
    const begin = performance.now();
    action();
    const end = performance.now();
    rest = end + LEFT * (end - begin);
  };
  return () => {
    if (queued) return;
    queued = true;
    const wait = rest - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(run), wait);
    else requestAnimationFrame(run);
  };
}
