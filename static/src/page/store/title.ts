/** What a conversation is called before somebody names it. */

import type { Turn } from "../conversation";

const LONGEST = 60; // characters

/** The first line of the first question, cut at a word; "" without a question. */
export function titleOf(turns: Turn[]): string {
  const question = turns.find((turn) => turn.role === "user")?.content ?? "";
  const line = question.trim().split("\n", 1)[0]?.replace(/\s+/g, " ").trim() ?? "";
  const characters = [...line];
  if (characters.length <= LONGEST) return line;
  const cut = characters.slice(0, LONGEST).join("");
  const space = cut.lastIndexOf(" ");
  return `${(space > LONGEST / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
