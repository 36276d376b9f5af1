/** The list of conversations, newest first, under the names of their days. */

import { element } from "../dom";
import type { Summary } from "../store/schema";
import { words } from "../words";
import { byDay, type Day, dateFormat, dayName } from "./days";
import { Row, type RowEvents } from "./row";
import type { Snippet } from "./search";

/** What there is to know of every row. */
export interface Context {
  /** The one that is open. */
  current: string;
  modelName(folder: string): string;
}

export interface Listed extends Context {
  summaries: Summary[];
  /** Where a search found its words. */
  snippets: Map<string, Snippet | null>;
}

export class List {
  readonly node = element("div", { class: "history-list", testid: "history-list" });
  private rows = new Map<string, Row>();
  private summaries: Summary[] = [];
  /** Days and conversations in the order in which they stand there. */
  private order = "";

  constructor(private readonly events: RowEvents) {}

  show(listed: Listed, now: Date): void {
    const language = document.documentElement.lang;
    const days = byDay(listed.summaries, now, language);
    const rows = new Map<string, Row>();
    for (const summary of listed.summaries) {
      const row = this.rows.get(summary.id) ?? new Row(summary, this.events);
      const snippet = listed.snippets.get(summary.id) ?? null;
      const detail = describe(summary, listed, language);
      row.update(summary, summary.id === listed.current, detail, snippet);
      rows.set(summary.id, row);
    }
    this.rows = rows;
    this.summaries = listed.summaries;
    this.arrange(days);
  }

  /**
   * An answer that grows is written several times a second: it changes its own row and no other.
   * False if the list has to be shown anew.
   */
  renew(summary: Summary, context: Context, now: Date): boolean {
    const row = this.rows.get(summary.id);
    const place = this.summaries.findIndex(({ id }) => id === summary.id);
    const [before, old] = [this.summaries[place - 1], this.summaries[place]];
    if (!row || !old || (before && before.updated < summary.updated)) return false;
    const language = document.documentElement.lang;
    const day = dayName(summary.updated, now, language);
    if (summary.updated < old.updated || day !== dayName(old.updated, now, language)) return false;
    this.summaries[place] = summary;
    const detail = describe(summary, context, language);
    row.update(summary, summary.id === context.current, detail, null);
    return true;
  }

  focus(id: string): void {
    this.rows.get(id)?.focus();
  }

  /** Puts the rows in order, if they are not; whoever is in one of them stays there. */
  private arrange(days: Day[]): void {
    const order = JSON.stringify(days.map(({ name, summaries }) => [name, summaries.map(idOf)]));
    if (order === this.order) return;
    this.order = order;
    const focused = document.activeElement;
    this.node.replaceChildren(...days.map((day, index) => this.section(day, index)));
    if (focused instanceof HTMLElement && this.node.contains(focused)) focused.focus();
  }

  private section({ name, summaries }: Day, index: number): HTMLElement {
    const id = `history-day-${index}`;
    const rows = summaries.map((summary) => this.rows.get(summary.id)?.node ?? "");
    return element("section", {
      attributes: { "aria-labelledby": id },
      children: [
        element("h3", { text: name, attributes: { id } }),
        element("ul", { children: rows }),
      ],
    });
  }
}

function idOf({ id }: Summary): string {
  return id;
}

/** "14:05 · SmolLM2", or who else answered last. */
function describe(summary: Summary, { modelName }: Context, language: string): string {
  const { updated, model, serverModel } = summary;
  const format = dateFormat(language, { hour: "2-digit", minute: "2-digit" });
  const time = format.format(updated);
  const by = serverModel ? words.server.named(serverModel) : modelName(model);
  return [time, by].filter((part) => part !== "").join(" · ");
}
