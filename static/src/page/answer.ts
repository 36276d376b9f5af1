/** One request to the engine, followed to its end. */

import { tokensPerSecond } from "../device/rate";
import type { Turn } from "./conversation";
import type { Answerer, ChatRequest, Usage } from "./engine";
import { words } from "./words";

/** Fills `turn` from the stream and calls `onText` after every piece. */
export async function answer(
  engine: Answerer,
  request: Omit<ChatRequest, "stream">,
  turn: Turn,
  onText: (stats: string) => void,
): Promise<void> {
  const stream = await engine.chat.completions.create({ ...request, stream: true });
  let pieces = 0;
  let start = 0;
  for await (const chunk of stream) {
    const [{ delta, finish_reason }] = chunk.choices;
    if (delta.content) {
      turn.content += delta.content;
      // The first token's time is the prompt's: the clock starts with it.
      start ||= performance.now();
      const seconds = (performance.now() - start) / 1000;
      pieces++;
      const speed = tokensPerSecond(pieces, seconds);
      onText(speed === null ? "" : words.chat.speed(speed));
    }
    if (finish_reason) turn.finish = finish_reason;
    if (chunk.usage) turn.stats = toStats(chunk.usage);
  }
}

function toStats(usage: Usage): NonNullable<Turn["stats"]> {
  return {
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.cached_tokens,
    completionTokens: usage.completion_tokens,
    prefillSeconds: usage.prefill_seconds,
    decodeSeconds: usage.decode_seconds,
  };
}
