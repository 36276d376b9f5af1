/** One line above the list: what was done, how much was found, and the way back from a deletion. */

import { element } from "../dom";
import { sentence } from "../notice";

export class Status {
  private readonly text = element("p", {
    testid: "history-status",
    attributes: { role: "status" },
  });
  private readonly button = element("button", {
    class: "button quiet small",
    testid: "undo",
    attributes: { type: "button" },
  });
  readonly node = element("div", { class: "history-status", children: [this.text, this.button] });
  /** What it says is about something that was done, and stays until something else is. */
  private held = false;

  constructor() {
    this.button.hidden = true;
  }

  /** About the list as it stands. */
  say(text: string): void {
    if (!this.held) this.set(text, "");
  }

  /** About what was done. */
  hold(text: string): void {
    this.set(text, "");
    this.held = true;
  }

  fail(message: string, hint: string): void {
    this.set([message, hint].filter(Boolean).map(sentence).join(" "), "bad");
    this.held = true;
  }

  /** About what was done, and a way back. */
  offer(text: string, label: string, run: () => void): void {
    this.hold(text);
    this.button.textContent = label;
    this.button.onclick = run;
    this.button.hidden = false;
    this.button.focus();
  }

  clear(): void {
    this.set("", "");
  }

  private set(text: string, state: string): void {
    this.held = false;
    this.text.textContent = text;
    this.text.dataset.state = state;
    this.button.hidden = true;
    this.button.onclick = null;
  }
}
