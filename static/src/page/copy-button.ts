/** A button that copies a text, and shows for a moment that it did. */

import { words } from "./words";

const SHOWN_MS = 1500;

export function copyOnClick(button: HTMLButtonElement, text: () => string): void {
  // Absent in insecure contexts.
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      button.title = words.chat.noClipboard;
      return;
    }
    button.dataset.icon = "done";
    setTimeout(() => {
      button.dataset.icon = "copy";
    }, SHOWN_MS);
  });
}
