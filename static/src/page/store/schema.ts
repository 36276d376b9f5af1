/** The database in which conversations are kept: its stores, and how it grew. */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { WebkilnError } from "../../engine/api";
import type { Turn } from "../conversation";
import { words } from "../words";

export const DATABASE = "webkiln";

/** A server that a person chose for one conversation. */
export interface ServerPlace {
  /** The address its interface begins at. */
  base: string;
  model: string;
}

/** Who gives an answer: a model of the site, by its folder, or one of a server. */
export type Answering = Pick<Summary, "model"> | Pick<Summary, "serverModel">;

/** A conversation without its turns: what a list needs. */
export interface Summary {
  /** Random; the address names it (`#chat=<id>`). */
  id: string;
  /** From the first question, until somebody renames it. */
  title: string;
  /** Somebody renamed it. */
  named: boolean;
  /** Folder of the site's model that answered last; "" before one did. */
  model: string;
  /** What a server calls the model that answered last; "" where it was `model`. */
  serverModel: string;
  /** Milliseconds since 1970, as `Date.now()` has them. */
  created: number;
  updated: number;
  /** The server that answers it; null: the model in this tab, as always unless somebody chose. */
  server: ServerPlace | null;
  /** The system prompt of the last answer, or what it was changed to since. */
  system: string;
  /** The tab that may write: a tab that was overtaken finds another's mark here. */
  writer: string;
}

/** Turns are records of their own: an answer that grows rewrites itself and nothing else. */
export interface StoredTurn extends Turn {
  conversation: string;
  /** Place among the conversation's turns, from 0. */
  index: number;
}

export interface Schema extends DBSchema {
  conversations: { key: string; value: Summary };
  turns: { key: [conversation: string, index: number]; value: StoredTurn };
}

export type Database = IDBPDatabase<Schema>;

/** One function a version: how a database of the version before becomes one of this version. */
const STEPS: ((database: Database) => void)[] = [
  (database) => {
    database.createObjectStore("conversations", { keyPath: "id" });
    database.createObjectStore("turns", { keyPath: ["conversation", "index"] });
  },
];

/** Opens the database, and brings an older one up to date; `onClosed`: it has to be opened anew. */
export async function openDatabase(onClosed: () => void): Promise<Database> {
  try {
    const database: Database = await openDB<Schema>(DATABASE, STEPS.length, {
      upgrade(opened, version) {
        for (const step of STEPS.slice(version)) step(opened);
      },
      blocking() {
        // A newer page wants to bring it up to date; holding on would keep that page waiting.
        database.close();
        onClosed();
      },
      terminated: onClosed,
    });
    return database;
  } catch (error) {
    throw shut(error);
  }
}

function shut(error: unknown): WebkilnError {
  const name = error instanceof Error ? error.name : "";
  if (name === "VersionError") {
    return new WebkilnError("storage", words.conversation.newer, words.conversation.newerHint);
  }
  return new WebkilnError(
    "storage",
    words.conversation.shut(String(error)),
    words.conversation.shutHint,
  );
}
