/** The message box with its send and stop buttons. */

import { composes, find } from "./dom";

export class Composer {
  private readonly form = find("composer", HTMLFormElement);
  private readonly input = find("input", HTMLTextAreaElement);
  private readonly sendButton = find("send", HTMLButtonElement);
  private readonly stopButton = find("stop", HTMLButtonElement);
  private busy = false;

  constructor(
    private readonly onSend: (text: string) => void,
    onStop: () => void,
  ) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.update());
    this.input.addEventListener("keydown", (event) => {
      // While an input method composes a character, Enter belongs to it. On touch keyboards
      // there is no Shift+Enter, so Enter stays a new line.
      if (event.key !== "Enter" || event.shiftKey || composes(event) || onTouch()) return;
      event.preventDefault();
      this.submit();
    });
    this.stopButton.addEventListener("click", onStop);
    document.addEventListener("keydown", (event) => {
      // It may have closed a panel, or cancelled a character.
      if (event.key !== "Escape" || event.defaultPrevented || composes(event)) return;
      if (this.busy && !document.querySelector("dialog:modal")) onStop();
    });
    this.update();
  }

  setBusy(busy: boolean): void {
    this.busy = busy;
    // The button pressed goes away, be it one of these or an answer's: keys need a place to be.
    const { activeElement } = document;
    const astray = [this.sendButton, this.stopButton, document.body].some(
      (each) => each === activeElement,
    );
    this.sendButton.hidden = busy;
    this.stopButton.hidden = !busy;
    if (astray && busy) this.stopButton.focus({ preventScroll: true });
    // On a phone that would bring up the keyboard, over the answer.
    else if (astray && !onTouch()) this.focus();
    this.update();
  }

  /** Puts a text in the box for the person to send or change. */
  fill(text: string): void {
    this.input.value = text;
    this.update();
    this.focus();
  }

  focus(): void {
    // The height could not be measured while the box was hidden.
    this.update();
    this.input.focus({ preventScroll: true });
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (this.busy || text === "") return;
    this.input.value = "";
    this.update();
    this.onSend(text);
  }

  private update(): void {
    this.sendButton.disabled = this.input.value.trim() === "";
    // Grows with its text; the style sheet sets the largest height.
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
  }
}

function onTouch(): boolean {
  return matchMedia("(pointer: coarse)").matches;
}
