/** Lines above the message box about the conversation that is open, each with a way out. */

import { element, find } from "./dom";

export interface NoteAction {
  label: string;
  testid: string;
  run: () => void;
}

export class ChatNote {
  private readonly box = find("chat-note", HTMLElement);
  private readonly lines = new Map<string, HTMLElement>();

  /** `name` tells the notes apart; the same one again replaces the first. */
  show(name: string, text: string, action?: NoteAction): void {
    this.hide(name);
    const line = element("p", { text, testid: `note-${name}` });
    if (action) {
      const { label, testid, run } = action;
      const attributes = { type: "button" };
      const button = element("button", {
        class: "button quiet small",
        text: label,
        testid,
        attributes,
      });
      button.addEventListener("click", run);
      line.append(" ", button);
    }
    this.lines.set(name, line);
    this.box.append(line);
  }

  hide(name: string): void {
    this.lines.get(name)?.remove();
    this.lines.delete(name);
  }
}
