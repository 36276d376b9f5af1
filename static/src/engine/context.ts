/** How many positions there are, and whether something fits them. */

import type { Manifest } from "../plan";
import { WebkilnError } from "./api";

/** The context to allocate: what was asked for, checked against what the model was made for. */
export function chooseContext(manifest: Manifest, asked: number | null): number {
  const context = asked ?? manifest.default_context;
  const { before, after } = manifest.embedding ?? { before: [], after: [] };
  const least = before.length + after.length + 1;
  if (context < least) {
    throw new WebkilnError(
      "bad-request",
      `context is ${context}; this model puts ${least - 1} tokens around every text`,
      `Choose a context of at least ${least}.`,
    );
  }
  if (context <= manifest.context) return context;
  throw new WebkilnError(
    "bad-request",
    `context is ${context}; this model was made for at most ${manifest.context} tokens`,
    "Choose a smaller context.",
    { context, fits: manifest.context },
  );
}

/** Refuses a prompt that leaves no position for an answer. */
export function checkRoom(promptTokens: number, context: number): void {
  if (promptTokens <= context) return;
  throw new WebkilnError(
    "context-overflow",
    `the conversation takes ${promptTokens} tokens and the context holds ${context}`,
    "Drop the oldest turns, start a new chat, or load the model with a larger context.",
    { tokens: promptTokens, context },
  );
}
