/** Writes down one conversation while it goes on, a few times a second at most. */

import type { Turn } from "../conversation";
import { blank } from "./new";
import type { Conversation } from "./records";
import type { Answering, ServerPlace, StoredTurn, Summary } from "./schema";
import type { Change, Outcome } from "./store";
import { titleOf } from "./title";
import { forgetUnsaved, keepUnsaved } from "./unsaved";

/** Milliseconds between two writes of a growing answer. */
const PACE = 250;

/** The part of the store that a recorder needs. */
export interface Writer {
  write(change: Change): Promise<Outcome>;
}

export interface RecorderEvents {
  /** Everything is written, or again not. */
  saved(saved: boolean): void;
  /** Nothing of this tab's is written any more. */
  lost(why: "deleted" | "overtaken"): void;
  /** A write failed; the next one tries again. */
  failed(error: unknown): void;
}

export class Recorder {
  readonly turns: Turn[];
  readonly summary: Summary;
  private written: Turn[];
  private stored: boolean;
  private dirty = false;
  private ended = false;
  private left = false;
  /** Another server, or system prompt, than is written. */
  private moved = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private work: Promise<void> = Promise.resolve();

  /** `store`: null where this browser keeps nothing; `stored`: the database has it. */
  constructor(
    private readonly store: Writer | null,
    { summary, turns }: Conversation,
    stored: boolean,
    private readonly events: RecorderEvents,
  ) {
    this.summary = summary;
    this.turns = turns;
    this.stored = stored;
    this.written = stored ? turns.map((turn) => ({ ...turn })) : [];
  }

  /** Who answers from now on. */
  answeredBy(who: Answering, system: string): void {
    Object.assign(this.summary, { serverModel: "", ...who, system });
  }

  /** The conversation goes to that server from now on, or to none. */
  sentTo(server: ServerPlace | null): Promise<void> {
    this.summary.server = server;
    this.moved = true;
    return this.save();
  }

  /** Its system prompt from now on. */
  instructed(system: string): void {
    this.summary.system = system;
    this.moved = true;
    this.saveSoon();
  }

  /** An answer grew: to be written soon. */
  saveSoon(): void {
    this.mark();
    this.timer ??= setTimeout(() => void this.save(), PACE);
  }

  /** Resolves when everything up to now is written, or cannot be. */
  save(): Promise<void> {
    this.mark();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.work = this.work.then(() => this.write());
    return this.work;
  }

  /** The page is closing: leaves what is not written to the next one. */
  leave(): void {
    if (this.ended || !this.store) return;
    const turns = difference(this.summary.id, this.written, this.turns);
    if (turns.length === 0) return;
    keepUnsaved({ summary: this.summary, stored: this.stored, turns });
    this.left = true;
  }

  /** Nothing is written from now on. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  private mark(): void {
    // A conversation begins with its first question.
    const empty = !this.stored && this.turns.length === 0;
    if (this.dirty || this.ended || empty || !this.store) return;
    this.dirty = true;
    this.events.saved(false);
  }

  private async write(): Promise<void> {
    if (!this.dirty || this.ended || !this.store) return;
    this.dirty = false;
    const now = this.turns.map((turn) => ({ ...turn }));
    const turns = difference(this.summary.id, this.written, now);
    const same = turns.length === 0 && now.length === this.written.length;
    if (same && !this.moved) return this.keep(now);
    try {
      const outcome = await this.store.write(this.change(now, turns));
      if (outcome === "written") this.keep(now);
      else this.lose(outcome);
    } catch (error) {
      this.dirty = true;
      this.events.failed(error);
    }
  }

  private change(now: Turn[], turns: StoredTurn[]): Change {
    const { summary, stored } = this;
    summary.updated = Date.now();
    if (!summary.named) summary.title = titleOf(now);
    const { id, writer, model, serverModel, server, system, updated, title } = summary;
    return {
      id,
      writer,
      stored,
      fields: { model, serverModel, server, system, updated },
      title,
      turns,
      length: now.length,
    };
  }

  private keep(now: Turn[]): void {
    this.stored = true;
    this.written = now;
    this.moved = false;
    if (this.dirty) return;
    // The page did not close after all.
    if (this.left) forgetUnsaved(this.summary.id);
    this.left = false;
    this.events.saved(true);
  }

  private lose(why: "deleted" | "overtaken"): void {
    this.end();
    this.events.lost(why);
  }
}

/** Of a conversation that nobody writes down, as before the first one is opened. */
export function unrecorded(): Recorder {
  return new Recorder(null, blank(), false, { saved() {}, lost() {}, failed() {} });
}

/** The turns to write so that a database that holds `before` holds `now`. */
export function difference(conversation: string, before: Turn[], now: Turn[]): StoredTurn[] {
  return now.flatMap((turn, index) =>
    isSame(before[index], turn) ? [] : [{ ...turn, conversation, index }],
  );
}

/** Long texts are compared quickly: unchanged, they are the same string. */
function isSame(
  before: Turn | undefined,
  { role, content, dropped, finish, stats }: Turn,
): boolean {
  return (
    before !== undefined &&
    before.role === role &&
    before.dropped === dropped &&
    before.finish === finish &&
    before.stats === stats &&
    before.content === content
  );
}
