/**
 * Records as they come out of a database or a file, which may be older, newer or damaged: what is
 * missing gets its default, what makes no sense is left out, and nothing throws.
 */

import type { Turn, TurnStats } from "../conversation";
import type { ServerPlace, Summary } from "./schema";

export interface Conversation {
  summary: Summary;
  turns: Turn[];
}

const FINISHES = ["stop", "length", "abort"] as const;
const STATS = [
  "promptTokens",
  "cachedTokens",
  "completionTokens",
  "prefillSeconds",
  "decodeSeconds",
] as const;

/** Null without an id: such a record cannot be addressed. */
export function readSummary(value: unknown): Summary | null {
  if (!isObject(value) || typeof value.id !== "string" || value.id === "") return null;
  const { id, title, named, model, serverModel, server } = value;
  const { created, updated, system, writer } = value;
  return {
    id,
    title: text(title),
    named: named === true,
    model: text(model),
    serverModel: text(serverModel),
    server: readServer(server),
    created: moment(created),
    updated: moment(updated),
    system: text(system),
    writer: text(writer),
  };
}

/** Null for what names no server. */
function readServer(value: unknown): ServerPlace | null {
  if (!isObject(value)) return null;
  const { base, model } = value;
  return typeof base === "string" && typeof model === "string" ? { base, model } : null;
}

/** Null for what is no turn. */
export function readTurn(value: unknown): Turn | null {
  if (!isObject(value) || typeof value.content !== "string") return null;
  const { role, content, dropped, finish } = value;
  if (role !== "user" && role !== "assistant") return null;
  const turn: Turn = { role, content };
  if (dropped === true) turn.dropped = true;
  const known = FINISHES.find((each) => each === finish);
  if (known) turn.finish = known;
  const stats = readStats(value.stats);
  if (stats) turn.stats = stats;
  return turn;
}

/** Turns as JSON; those that make no sense are left out. */
export function parseTurns(stored: string | null): Turn[] {
  try {
    const found: unknown = JSON.parse(stored ?? "[]");
    return Array.isArray(found) ? found.map(readTurn).filter((turn) => turn !== null) : [];
  } catch {
    return [];
  }
}

function readStats(value: unknown): TurnStats | null {
  if (!isObject(value)) return null;
  const numbers = STATS.map((name) => [name, value[name]]);
  if (!numbers.every(([, number]) => Number.isFinite(number) && Number(number) >= 0)) return null;
  return Object.fromEntries(numbers) as unknown as TurnStats;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** What `Date` cannot show would break every list of days. */
function moment(value: unknown): number {
  const valid = typeof value === "number" && value >= 0 && value <= LAST_MOMENT;
  return valid ? value : 0;
}

export const LAST_MOMENT = 8.64e15; // the last one that Date knows
