/** The one place where the page says that something went wrong or needs a decision. */

import { element, find } from "./dom";
import type { Trouble } from "./engine";
import { type Remedy, words } from "./trouble";

export interface Action {
  label: string;
  testid: string;
  run: () => void;
}

const LABELS: Record<Remedy, string> = {
  retry: "Try again",
  reload: "Reload the model",
  close: "Close",
};

export class Notice {
  private readonly box = find("notice", HTMLElement);

  /** An error with its remedy and other ways out; `act` is called for "retry" and "reload". */
  showTrouble(trouble: Trouble, act: (remedy: Remedy) => void, others: Action[] = []): void {
    const { title, remedy } = words(trouble);
    const run = () => {
      this.clear();
      if (remedy !== "close") act(remedy);
    };
    const first = { label: LABELS[remedy], testid: "retry", run };
    this.show("error", title, [trouble.message, trouble.hint], [first, ...others]);
    this.box.dataset.code = trouble.code;
  }

  show(testid: string, title: string, lines: string[], actions: Action[]): void {
    const buttons = actions.map(({ label, testid: id, run }) => {
      const button = element("button", { class: "button quiet", text: label, testid: id });
      button.type = "button";
      button.addEventListener("click", run);
      return button;
    });
    delete this.box.dataset.code;
    this.box.dataset.testid = testid;
    this.box.replaceChildren(
      element("h2", { text: title }),
      ...lines.filter((line) => line !== "").map((line) => element("p", { text: sentence(line) })),
      element("div", { class: "actions", children: buttons }),
    );
    this.box.hidden = false;
  }

  clear(): void {
    this.box.hidden = true;
    this.box.replaceChildren();
    this.box.dataset.testid = "notice";
  }
}

/**
 * Messages of the engine begin in lower case, like those of a compiler, or with a name
 * ("weights/9e63.bin: ..."), which stays as it is.
 */
export function sentence(text: string): string {
  const full = /[.!?…]$/.test(text) ? text : `${text}.`;
  const startsWithWord = /^[a-z]+[,:;.!?…]?(\s|$)/.test(full);
  return startsWithWord ? full.charAt(0).toUpperCase() + full.slice(1) : full;
}
