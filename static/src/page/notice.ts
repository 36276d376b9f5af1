/** The one place where the page says that something went wrong or needs a decision. */

import { element, find, keepFocus } from "./dom";
import type { EngineTrouble, Trouble } from "./engine";
import { type Remedy, remedyFor } from "./trouble";
import { words } from "./words";

export interface Action {
  label: string;
  testid: string;
  run: () => void;
}

export class Notice {
  private readonly box = find("notice", HTMLElement);

  /** An error with its remedy and other ways out; `act` is called for "retry" and "reload". */
  showTrouble(trouble: EngineTrouble, act: (remedy: Remedy) => void, others: Action[] = []): void {
    this.showSaid(trouble, told(trouble), act, others);
  }

  /** The same with words from elsewhere. */
  showSaid(
    trouble: Trouble,
    { title, lines }: Said,
    act: (remedy: Remedy) => void,
    others: Action[],
  ): void {
    const remedy = remedyFor(trouble);
    const run = () => {
      this.clear();
      if (remedy !== "close") act(remedy);
    };
    const first = { label: words.trouble[remedy], testid: "retry", run };
    this.show("error", title, lines, [first, ...others]);
    this.box.dataset.code = trouble.code;
    this.box.append(details(trouble));
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
    keepFocus(this.box);
    this.box.hidden = true;
    this.box.replaceChildren();
    this.box.dataset.testid = "notice";
  }
}

export interface Said {
  title: string;
  lines: string[];
}

/** What the page says of an error of the engine. */
export function told(trouble: EngineTrouble): Said {
  const { title, text, hint } = words.faults[trouble.code] ?? words.faults.internal;
  return { title, lines: [text(trouble.values), hint] };
}

/** The engine's own sentences, in English, for whoever reports the fault. */
function details({ message, hint }: Trouble): HTMLElement {
  const lines = [message, hint].filter((line) => line !== "");
  return element("details", {
    class: "checked",
    testid: "trouble-details",
    children: [
      element("summary", { text: words.site.details }),
      ...lines.map((line) => element("p", { text: sentence(line), attributes: { lang: "en" } })),
    ],
  });
}

/**
 * Messages of the engine begin in lower case, like those of a compiler, or with a name
 * ("weights/9e63.bin: ..."), which stays as it is.
 */
export function sentence(text: string): string {
  const full = /[.!?…]$/.test(text) ? text : `${text}.`;
  const startsWithWord = /^\p{Ll}+(?:[’']\p{L}+)?[,:;.!?…]?(\s|$)/u.test(full);
  return startsWithWord ? full.charAt(0).toUpperCase() + full.slice(1) : full;
}
