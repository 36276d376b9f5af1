/**
 * The texts in the page's HTML. They are English there, each with its key in `words`:
 * `data-words` for an element's text, `data-words-title` and the like for its attributes.
 */

import { words } from "./words";

const ATTRIBUTES = ["aria-label", "title", "placeholder", "content"];

/** Puts the texts into the page's language. */
export function fillTemplate(root: ParentNode = document): void {
  for (const node of root.querySelectorAll("[data-words]")) {
    node.textContent = text(node.getAttribute("data-words"));
  }
  for (const name of ATTRIBUTES) {
    for (const node of root.querySelectorAll(`[data-words-${name}]`)) {
      node.setAttribute(name, text(node.getAttribute(`data-words-${name}`)));
    }
  }
}

/** The text of a key like "start.load". */
export function text(key: string | null): string {
  let found: unknown = words;
  for (const part of (key ?? "").split(".")) {
    found = (found as Record<string, unknown> | undefined)?.[part];
  }
  if (typeof found !== "string") throw new Error(`there is no text ${key}`);
  return found;
}
