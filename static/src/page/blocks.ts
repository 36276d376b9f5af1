/** Which blocks of a Markdown text that still grows are over. */

import type { Token } from "marked";
import { markdown } from "./markdown";

/**
 * How much at the start of `text` is blocks that nothing to come can change, and the block after
 * them. A block is over when a line of the next one is: the beginning of a line may still turn out
 * to belong to a list before it.
 */
export function cut(text: string): { length: number; last: Token | undefined } {
  const blocks = markdown.lexer(text);
  const spaced = blocks.at(-1)?.type === "space";
  if (spaced) blocks.pop();
  let last = blocks.pop();
  const begun = last !== undefined && !spaced && !last.raw.includes("\n");
  // What comes before is not over yet either, and is drawn together with the line begun.
  if (begun) {
    const before = blocks.findLastIndex(({ type }) => type !== "space");
    if (before >= 0) last = undefined;
    blocks.length = Math.max(before, 0);
  }
  return { length: blocks.reduce((sum, { raw }) => sum + raw.length, 0), last };
}
