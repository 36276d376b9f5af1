/** An exported file, checked field by field; one fault refuses all of it. */

import { WebkilnError } from "../../engine/api";
import type { Turn } from "../conversation";
import { panels } from "../panel-words";
import { type Conversation, isObject, LAST_MOMENT, readTurn } from "../store/records";
import { FORMAT, VERSION } from "./export";

/** Throws `bad-request` with what is wrong and where. */
export function fromJson(text: string): Conversation[] {
  const found = parse(text);
  if (!isObject(found) || found.format !== FORMAT) throw refused(panels.file.notExport);
  const { version } = found;
  if (typeof version === "number" && version > VERSION) {
    throw new WebkilnError(
      "bad-request",
      panels.file.newer(String(version)),
      panels.file.newerHint,
    );
  }
  if (version !== VERSION) throw wrong("version", version, String(VERSION));
  const conversations = list("conversations", found.conversations).map(conversation);
  refuseTwins(conversations);
  return conversations;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused(panels.file.notJson);
  }
}

function conversation(value: unknown, index: number): Conversation {
  const where = `conversations[${index}]`;
  if (!isObject(value)) throw wrong(where, value, panels.file.object);
  const { id, title, named, model, serverModel = "", system } = value;
  if (typeof id !== "string" || !/^[0-9A-Za-z-]{1,64}$/.test(id)) {
    throw wrong(`${where}.id`, id, panels.file.id);
  }
  if (typeof named !== "boolean") throw wrong(`${where}.named`, named, panels.file.boolean);
  const turns = list(`${where}.turns`, value.turns);
  return {
    summary: {
      id,
      title: string(`${where}.title`, title),
      named,
      model: string(`${where}.model`, model),
      serverModel: string(`${where}.serverModel`, serverModel),
      // Whoever made the file does not choose where this conversation goes.
      server: null,
      created: moment(`${where}.created`, value.created),
      updated: moment(`${where}.updated`, value.updated),
      system: string(`${where}.system`, system),
      writer: "",
    },
    turns: turns.map((each, turn) => checkedTurn(`${where}.turns[${turn}]`, each)),
  };
}

/** What is optional in a turn has to make sense where it is given. */
function checkedTurn(where: string, value: unknown): Turn {
  if (!isObject(value)) throw wrong(where, value, panels.file.object);
  string(`${where}.content`, value.content);
  const turn = readTurn(value);
  if (!turn) throw wrong(`${where}.role`, value.role, panels.file.either('"user"', '"assistant"'));
  const { finish, dropped, stats } = value;
  if (finish !== undefined && turn.finish !== finish) {
    throw wrong(`${where}.finish`, finish, panels.file.either('"stop"', '"length"', '"abort"'));
  }
  if (dropped !== undefined && typeof dropped !== "boolean") {
    throw wrong(`${where}.dropped`, dropped, panels.file.boolean);
  }
  if (stats !== undefined && !turn.stats) {
    throw wrong(`${where}.stats`, stats, panels.file.stats);
  }
  return turn;
}

function refuseTwins(conversations: Conversation[]): void {
  const ids = new Set<string>();
  for (const [index, { summary }] of conversations.entries()) {
    if (ids.has(summary.id))
      throw refused(panels.file.twice(`conversations[${index}].id`, summary.id));
    ids.add(summary.id);
  }
}

function list(where: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(where, value, panels.file.list);
}

function string(where: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw wrong(where, value, panels.file.string);
}

function moment(where: string, value: unknown): number {
  const milliseconds = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (milliseconds >= 0 && milliseconds <= LAST_MOMENT) return milliseconds;
  throw wrong(where, value, panels.file.date);
}

function wrong(where: string, value: unknown, wanted: string): WebkilnError {
  const shown = value === undefined ? panels.file.missing : JSON.stringify(value);
  const short = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  return refused(panels.file.wrong(where, short, wanted));
}

export function refused(message: string): WebkilnError {
  return new WebkilnError("bad-request", message, panels.file.hint);
}
