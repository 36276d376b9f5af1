/** What the page has to say beside the conversation, apart from troubles. */

import { find } from "./dom";
import { type Model, slug } from "./models";
import type { Notice } from "./notice";
import { whyNot } from "./store/why-not";
import { words } from "./words";

/** `wanted` is what the address asks for, if it does. */
export function sayNoModel(notice: Notice, models: Model[], wanted: string | undefined): void {
  find("model-name", HTMLElement).textContent = words.start.noModel;
  const lines =
    wanted === undefined
      ? [words.start.noBundle]
      : [words.start.notHere(wanted), words.start.siteHas(models.map(slug))];
  notice.show("error", words.start.noModelTitle, lines, []);
}

export function sayEmbedder(notice: Notice, model: Model): void {
  find("model-name", HTMLElement).textContent = model.name;
  const { embedder, embedderUse, embedderTitle } = words.start;
  notice.show("notice", embedderTitle, [embedder, embedderUse], []);
}

/** `problems` are parts of the address that mean nothing. */
export function sayProblems(notice: Notice, problems: string[]): void {
  if (problems.length > 0) notice.show("notice", words.address.title, problems, []);
}

/** A conversation could not be read, or their list. */
export function sayUnread(notice: Notice, error: unknown): void {
  const close = { label: words.trouble.close, testid: "retry", run: () => notice.clear() };
  notice.show("error", words.conversation.unread, [whyNot(error)], [close]);
}

/** The context is full; `canDrop`: there are older turns to let go. */
export function sayOverflow(
  notice: Notice,
  canDrop: boolean,
  ways: { drop: () => void; anew: () => void },
): void {
  const { title, alone, older, drop, anew } = words.overflow;
  const actions = [{ label: anew, testid: "start-anew", run: ways.anew }];
  if (canDrop) actions.unshift({ label: drop, testid: "drop-oldest", run: ways.drop });
  notice.show("overflow", title, [canDrop ? older : alone], actions);
}

/** A download of `costs` bytes over a metered connection waits for the person's word. */
export function askMetered(notice: Notice, costs: number, goOn: () => void): void {
  const { title, line, download, later } = words.metered;
  const actions = [
    { label: download, testid: "metered-download", run: goOn },
    { label: later, testid: "metered-later", run: () => notice.clear() },
  ];
  notice.show("metered", title, [line(costs)], actions);
}
