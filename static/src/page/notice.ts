/** The one place where the page says that something went wrong or needs a decision. */

import { element, find, keepFocus } from "./dom";
import type { EngineTrouble, Trouble } from "./engine";
import { isOutdated, type Remedy, remedyFor } from "./trouble";
import { words } from "./words";

export interface Action {
  label: string;
  testid: string;
  run: () => void;
}

export class Notice {
  private readonly box = find("notice", HTMLElement);
  /** Counts what was shown: whoever comes back late finds another number. */
  private shown = 0;

  /** `grown`: it takes more room than before. */
  constructor(private readonly grown: () => void) {}

  /** An error with its remedy and other ways out; `act` is called for "retry" and "reload". */
  showTrouble(trouble: EngineTrouble, act: (remedy: Remedy) => void, others: Action[] = []): void {
    this.showSaid(trouble, told(trouble), act, others);
    if (isOutdated(trouble)) void this.offerNewer().catch(() => {});
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
    this.shown++;
    const buttons = actions.map(actionButton);
    delete this.box.dataset.code;
    this.box.dataset.testid = testid;
    this.box.replaceChildren(
      element("h2", { text: title }),
      ...lines.filter((line) => line !== "").map((line) => element("p", { text: sentence(line) })),
      element("div", { class: "actions", children: buttons }),
    );
    this.box.hidden = false;
    this.grown();
  }

  /** A page that the service worker kept comes again at every reload, until the next one is taken. */
  private async offerNewer(): Promise<void> {
    const { shown } = this;
    const { newerVersion } = await import("./offline");
    const take = await newerVersion();
    if (!take || shown !== this.shown) return;
    const { newerModel, update } = words.offline;
    const button = actionButton({ label: update, testid: "update-page", run: take });
    const actions = this.box.querySelector(".actions");
    actions?.before(element("p", { text: newerModel }));
    actions?.prepend(button);
  }

  clear(): void {
    this.shown++;
    keepFocus(this.box);
    this.box.hidden = true;
    this.box.replaceChildren();
    this.box.dataset.testid = "notice";
  }
}

function actionButton({ label, testid, run }: Action): HTMLButtonElement {
  const button = element("button", { class: "button quiet", text: label, testid });
  button.type = "button";
  button.addEventListener("click", run);
  return button;
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
