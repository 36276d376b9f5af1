/** One model's card: the verdict, what it costs, what it is, and what can be done with it. */

import type { About, Assessment } from "../../engine/assessment";
import { element } from "../dom";
import type { Model } from "../models";
import { panels } from "../panel-words";
import { words } from "../words";
import { button, deletion } from "./delete";
import { followable, licence, quantization, reasons } from "./said";

export interface CardEvents {
  choose(model: Model): void;
  delete(model: Model): Promise<void>;
}

export interface Shown {
  model: Model;
  /** Null while it is being looked at. */
  assessment: Assessment | null;
  /** Why it is the one to take; "" if it is not. */
  suggested: string;
  /** Whether this page has it chosen. */
  current: boolean;
}

export function card(shown: Shown, events: CardEvents): HTMLElement {
  const { model, assessment, suggested } = shown;
  const id = `library-${model.slug}`;
  const body = assessment ? told(assessment) : [muted(panels.library.looking)];
  return element("article", {
    class: "library-card",
    testid: "library-card",
    attributes: { "aria-labelledby": id, "data-slug": model.slug },
    children: [
      element("h3", { text: model.name, attributes: { id } }),
      ...(suggested ? [element("p", { class: "suggested", text: suggested })] : []),
      ...body,
      buttons(shown, events),
    ],
  });
}

function told(assessment: Assessment): HTMLElement[] {
  const { fit, about } = assessment;
  const list = reasons(assessment).map((text) => element("li", { text }));
  return [
    element("p", { class: `fit ${fit}`, testid: "fit", text: panels.library.fit[fit] }),
    ...(list.length > 0 ? [element("ul", { class: "why", children: list })] : []),
    ...(about ? [facts(assessment, about), ...notes(about)] : []),
  ];
}

function facts(assessment: Assessment, about: About): HTMLElement {
  const { library } = panels;
  const { card, embedding } = about;
  const rows: [string, string | Node][] = [
    [library.size, size(assessment)],
    [library.speed, speed(assessment)],
    [library.licence, licenceNode(card)],
    ...(card.license.terms ? [[library.terms, english(card.license.terms)] as [string, Node]] : []),
    [library.languages, listed(card.languages.map(language))],
    [library.data, listed(card.datasets)],
    [library.base, listed(card.base_models)],
    [library.authors, listed(card.authors)],
    [library.quantization, quantization(about)],
    [library.parameters, library.count(about.parameters)],
    [library.context, library.tokens(about.defaultContext, about.context)],
    [library.source, about.source],
  ];
  if (assessment.memory !== null) {
    rows.splice(2, 0, [library.memory, words.figures.bytes(assessment.memory)]);
  }
  if (embedding) rows.splice(1, 1);
  const cells = rows.flatMap(([term, value]) => [
    element("dt", { text: term }),
    element("dd", { children: [value] }),
  ]);
  return element("dl", { class: "facts", children: cells });
}

function size({ stored }: Assessment): string {
  if (!stored) return panels.library.unknown;
  return panels.library.toFetch(stored.total, stored.missing);
}

function speed({ speed }: Assessment): string {
  if (!speed) return panels.library.unknown;
  const { measured, estimated } = panels.library;
  return (speed.measured ? measured : estimated)(speed.tokensPerSecond);
}

function licenceNode(card: About["card"]): string | Node {
  const name = licence(card);
  const { link } = card.license;
  const address = followable(link);
  if (address === null) return [name, link].filter(Boolean).join(" · ") || panels.library.unstated;
  return element("a", {
    text: name || address,
    attributes: { href: address, rel: "noreferrer", target: "_blank" },
  });
}

/** "en" in the page's language; what is no code stays as it is. */
function language(code: string): string {
  try {
    const names = new Intl.DisplayNames(document.documentElement.lang, { type: "language" });
    return names.of(code) ?? code;
  } catch {
    return code;
  }
}

function listed(texts: string[]): string {
  return texts.length > 0 ? words.figures.list(texts) : panels.library.unstated;
}

function notes({ notes, embedding }: About): HTMLElement[] {
  const general = embedding ? panels.library.embeds : panels.library.wrong;
  const compilers = notes.map((text) =>
    element("p", { class: "muted", text, attributes: { lang: "en" } }),
  );
  return [muted(general), ...compilers];
}

/** Licence terms come as they are: in English, whatever the page speaks. */
function english(text: string): HTMLElement {
  return element("span", { text, attributes: { lang: "en" } });
}

function muted(text: string): HTMLElement {
  return element("p", { class: "muted", text });
}

function buttons(shown: Shown, events: CardEvents): HTMLElement {
  const row = element("div", { class: "library-buttons" });
  const { model, assessment, current } = shown;
  const kept = assessment?.stored?.kept ?? 0;
  const missing = assessment?.stored?.missing ?? model.bytes;
  const able = assessment !== null && assessment.fit !== "no" && !model.embeds;
  const { library } = panels;
  if (able) {
    const label = current ? library.chosen : missing > 0 ? library.download : library.choose;
    const choose = button(label, "library-choose", "primary");
    choose.disabled = current && document.body.dataset.state !== "start";
    choose.addEventListener("click", () => events.choose(model));
    row.append(choose);
  }
  if (kept > 0) row.append(deletion(row, model.name, kept, () => events.delete(model)));
  for (const each of row.querySelectorAll("button")) {
    each.setAttribute("aria-label", library.of(each.textContent ?? "", model.name));
  }
  return row;
}
