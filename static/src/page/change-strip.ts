/**
 * A line above the message box: the model goes on in another way. It interrupts nobody. Empty, it
 * takes no room; its text is never hidden, because screen readers miss what appears with its region.
 */

import { element, find, keepFocus } from "./dom";
import { sentence } from "./notice";

export class ChangeStrip {
  private readonly text = find("change-text", HTMLElement);

  constructor(onDetails: () => void) {
    find("change-details", HTMLButtonElement).addEventListener("click", onDetails);
    find("change-close", HTMLButtonElement).addEventListener("click", () => this.clear());
  }

  show(title: string, lines: string[]): void {
    this.text.replaceChildren(
      element("strong", { text: sentence(title) }),
      ...lines.map((line) => ` ${sentence(line)}`),
    );
  }

  clear(): void {
    if (this.text.parentElement) keepFocus(this.text.parentElement);
    this.text.replaceChildren();
  }
}
