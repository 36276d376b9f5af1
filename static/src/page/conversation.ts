/** The turns of a conversation, apart from how they look. */

import type { ChatMessage, FinishReason } from "./engine";

export interface TurnStats {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  prefillSeconds: number;
  decodeSeconds: number;
}

export interface Turn {
  role: "user" | "assistant";
  content: string;
  /** No longer sent to the model, because the context was full. */
  dropped?: boolean;
  /** Assistant only; absent while streaming and after a fault. */
  finish?: FinishReason;
  stats?: TurnStats;
}

/** What the model is sent: the system prompt and the turns that were not dropped. */
export function toMessages(system: string, turns: Turn[]): ChatMessage[] {
  const messages: ChatMessage[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const turn of turns) {
    // An answer that failed before its first word is no turn of the conversation.
    if (turn.dropped || (turn.role === "assistant" && turn.content === "")) continue;
    messages.push({ role: turn.role, content: turn.content });
  }
  return messages;
}

/**
 * Marks the oldest exchange as dropped: a question and everything up to the next one. False when
 * only the newest question is left, which cannot be dropped.
 */
export function dropOldest(turns: Turn[]): boolean {
  const kept = turns.filter((turn) => !turn.dropped);
  const next = kept.findIndex((turn, index) => index > 0 && turn.role === "user");
  if (next < 0) return false;
  for (const turn of kept.slice(0, next)) turn.dropped = true;
  return true;
}

/** How many turns there are up to the last question, and with it; 0 if there is no question. */
export function upToQuestion(turns: Turn[]): number {
  return turns.findLastIndex(({ role }) => role === "user") + 1;
}

/**
 * Makes `turns` what another tab made of them. The turn that is new or longer, if it is the last
 * and the only one that changed; null if there is more to show anew.
 */
export function follow(turns: Turn[], latest: Turn[]): Turn | null {
  const last = turns.at(-1);
  const newest = latest.at(-1);
  const before = turns.slice(0, -1);
  const sameBefore = before.every(({ content }, index) => content === latest[index]?.content);
  if (
    !last ||
    !newest ||
    turns.length !== latest.length ||
    !sameBefore ||
    last.role !== newest.role
  ) {
    turns.splice(0, turns.length, ...latest);
    return null;
  }
  for (const [index, turn] of turns.entries()) replace(turn, latest[index] ?? turn);
  return last;
}

function replace(turn: Turn, by: Turn): void {
  if (turn === by) return;
  delete turn.dropped;
  delete turn.finish;
  delete turn.stats;
  Object.assign(turn, by);
}
