/** Conversations in IndexedDB: reading, writing, deleting. Every method is one transaction. */

import type { Turn } from "../conversation";
import type { Channel } from "./channel";
import type { Conversation } from "./records";
import { readSummary, readTurn } from "./records";
import { type Database, openDatabase, type StoredTurn, type Summary } from "./schema";
import { forgetAllUnsaved, forgetUnsaved } from "./unsaved";

/** What one write changes; made by `Recorder`. */
export interface Change {
  id: string;
  /** The tab that writes. */
  writer: string;
  /** It was in the database before, so that its absence means that it was deleted. */
  stored: boolean;
  fields: Omit<Summary, "id" | "writer" | "title" | "named" | "created">;
  /** Title while nobody named it. */
  title: string;
  turns: StoredTurn[];
  /** Turns from this index on are gone. */
  length: number;
}

/** "deleted" and "overtaken": nothing was written, and nothing of this tab's may be any more. */
export type Outcome = "written" | "deleted" | "overtaken";

export class ConversationStore {
  private database: Promise<Database> | null = null;

  constructor(readonly channel: Channel) {}

  /** Throws where this browser keeps nothing. */
  async open(): Promise<void> {
    await this.opened();
  }

  /** Newest first. */
  async list(): Promise<Summary[]> {
    const database = await this.opened();
    const found: unknown[] = await database.getAll("conversations");
    const summaries = found.map(readSummary).filter((summary) => summary !== null);
    return summaries.sort((a, b) => b.updated - a.updated);
  }

  /** Null if there is no such conversation. */
  async summary(id: string): Promise<Summary | null> {
    const database = await this.opened();
    return readSummary(await database.get("conversations", id));
  }

  async read(id: string): Promise<Conversation | null> {
    const database = await this.opened();
    const transaction = database.transaction(["conversations", "turns"]);
    const [found, turns] = await Promise.all([
      transaction.objectStore("conversations").get(id),
      transaction.objectStore("turns").getAll(turnsOf(id)),
    ]);
    const summary = readSummary(found);
    return summary && { summary, turns: turns.map(readTurn).filter((turn) => turn !== null) };
  }

  /** Everything, newest first. */
  async all(): Promise<Conversation[]> {
    const turns = new Map<string, Turn[]>();
    for await (const [id, turn] of this.turns()) {
      const others = turns.get(id);
      if (others) others.push(turn);
      else turns.set(id, [turn]);
    }
    const summaries = await this.list();
    return summaries.map((summary) => ({ summary, turns: turns.get(summary.id) ?? [] }));
  }

  /** Every turn with its conversation's id, in their order, a batch of records at a time. */
  async *turns(batch = 500): AsyncGenerator<[id: string, turn: Turn]> {
    const database = await this.opened();
    let range: IDBKeyRange | null = null;
    while (true) {
      const found: StoredTurn[] = await database.getAll("turns", range, batch);
      for (const record of found) {
        const turn = readTurn(record);
        if (turn) yield [record.conversation, turn];
      }
      const last = found.at(-1);
      if (!last || found.length < batch) return;
      range = IDBKeyRange.lowerBound([last.conversation, last.index], true);
    }
  }

  /** From now on only this tab writes it; null if there is no such conversation any more. */
  async claim(id: string, writer: string): Promise<Conversation | null> {
    const database = await this.opened();
    const transaction = database.transaction("conversations", "readwrite");
    const found = await transaction.store.get(id);
    if (found) await transaction.store.put({ ...found, writer });
    await transaction.done;
    return this.read(id);
  }

  async write(change: Change): Promise<Outcome> {
    const { id, writer, stored, fields, title, length } = change;
    const database = await this.opened();
    const transaction = database.transaction(["conversations", "turns"], "readwrite");
    const conversations = transaction.objectStore("conversations");
    const found = await conversations.get(id);
    if (!found && stored) return "deleted";
    if (found && found.writer !== writer) return "overtaken";
    // What a newer version of the page keeps beside these fields stays.
    const before = found ?? { id, named: false, created: fields.updated };
    const named = found?.named ? found.title : title;
    const turns = transaction.objectStore("turns");
    try {
      await Promise.all([
        conversations.put({ ...before, ...fields, title: named, writer }),
        turns.delete(turnsOf(id, length)),
        ...change.turns.map((turn) => turns.put(turn)),
        transaction.done,
      ]);
    } catch (error) {
      throw transaction.error ?? error; // a full disk, where a request only says that it ended
    }
    this.channel.tell({ type: "changed", ids: [id], written: true });
    return "written";
  }

  /** An empty title brings back the one from the first question. */
  async rename(id: string, title: string, automatic: string): Promise<void> {
    const database = await this.opened();
    const transaction = database.transaction("conversations", "readwrite");
    const found = await transaction.store.get(id);
    const named = title.trim() !== "";
    if (found)
      await transaction.store.put({ ...found, title: named ? title.trim() : automatic, named });
    await transaction.done;
    this.channel.tell({ type: "changed", ids: [id] });
  }

  /** Puts whole conversations in, over those of the same id. */
  async put(conversations: Conversation[]): Promise<void> {
    const database = await this.opened();
    const transaction = database.transaction(["conversations", "turns"], "readwrite");
    const turns = transaction.objectStore("turns");
    const work: Promise<unknown>[] = [transaction.done];
    for (const { summary, turns: all } of conversations) {
      work.push(transaction.objectStore("conversations").put(summary));
      work.push(turns.delete(turnsOf(summary.id)));
      for (const [index, turn] of all.entries()) {
        work.push(turns.put({ ...turn, conversation: summary.id, index }));
      }
    }
    await Promise.all(work);
    this.channel.tell({ type: "changed", ids: conversations.map(({ summary }) => summary.id) });
  }

  async remove(id: string): Promise<void> {
    const database = await this.opened();
    const transaction = database.transaction(["conversations", "turns"], "readwrite");
    await Promise.all([
      transaction.objectStore("conversations").delete(id),
      transaction.objectStore("turns").delete(turnsOf(id)),
      transaction.done,
    ]);
    forgetUnsaved(id);
    this.channel.tell({ type: "deleted", ids: [id] });
  }

  async clear(): Promise<void> {
    const database = await this.opened();
    const transaction = database.transaction(["conversations", "turns"], "readwrite");
    await Promise.all([
      transaction.objectStore("conversations").clear(),
      transaction.objectStore("turns").clear(),
      transaction.done,
    ]);
    forgetAllUnsaved();
    this.channel.tell({ type: "cleared" });
  }

  private opened(): Promise<Database> {
    this.database ??= openDatabase(() => {
      this.database = null;
    });
    // A browser that refused once may be asked again.
    this.database.catch(() => {
      this.database = null;
    });
    return this.database;
  }
}

/** The keys of a conversation's turns from `index` on: an array sorts after every number. */
function turnsOf(id: string, index = 0): IDBKeyRange {
  return IDBKeyRange.bound([id, index], [id, []]);
}
