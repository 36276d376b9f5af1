/**
 * What a closing page has no time to write: databases answer later, and there is no later.
 * `localStorage` is written at once; the next page puts it where it belongs.
 */

import type { Turn } from "../conversation";
import { local } from "../storage";
import { isObject, readSummary, readTurn } from "./records";
import type { StoredTurn, Summary } from "./schema";

const PREFIX = "webkiln.unsaved.";

export interface Unsaved {
  /** As it would have been written. */
  summary: Summary;
  /** The conversation was in the database before. */
  stored: boolean;
  /** Those that were not, or not as they are. */
  turns: StoredTurn[];
}

export function keepUnsaved(left: Unsaved): void {
  local.write(PREFIX + left.summary.id, JSON.stringify(left));
}

export function forgetUnsaved(id: string): void {
  local.remove(PREFIX + id);
}

export function forgetAllUnsaved(): void {
  for (const key of keys()) local.remove(key);
}

/** What pages that are gone left behind; damaged entries are deleted. */
export function allUnsaved(): Unsaved[] {
  return keys().flatMap((key) => {
    const found = parse(local.read(key));
    if (!found) local.remove(key);
    return found ? [found] : [];
  });
}

/**
 * Puts each turn where it belongs; false if there was nothing to do. A stored text is only ever
 * made longer: another tab may have gone on with the same answer.
 */
export function applyUnsaved(turns: Turn[], left: StoredTurn[]): boolean {
  let applied = false;
  for (const { index, conversation: _, ...turn } of left) {
    if (index !== turns.length && !isLonger(turn, turns[index])) continue;
    turns[index] = turn;
    applied = true;
  }
  return applied;
}

function isLonger(turn: Turn, stored: Turn | undefined): boolean {
  if (stored?.role !== turn.role || stored.finish !== undefined) return false;
  const more = turn.content !== stored.content || turn.finish !== undefined;
  return more && turn.content.startsWith(stored.content);
}

function keys(): string[] {
  return local.keys().filter((key) => key.startsWith(PREFIX));
}

function parse(stored: string | null): Unsaved | null {
  try {
    const found: unknown = JSON.parse(stored ?? "null");
    if (!isObject(found) || !Array.isArray(found.turns)) return null;
    const summary = readSummary(found.summary);
    if (!summary) return null;
    const turns = found.turns.flatMap((each: unknown) => storedTurn(summary.id, each));
    return { summary, stored: found.stored === true, turns };
  } catch {
    return null;
  }
}

function storedTurn(conversation: string, value: unknown): StoredTurn[] {
  const turn = readTurn(value);
  const index = isObject(value) ? value.index : undefined;
  if (!turn || typeof index !== "number" || !Number.isInteger(index) || index < 0) return [];
  return [{ ...turn, conversation, index }];
}
