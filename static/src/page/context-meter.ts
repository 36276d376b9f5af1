/** How much of the context the conversation takes. */

import { find } from "./dom";
import type { Answerer, ChatMessage } from "./engine";
import { words } from "./words";

const HIGH = 0.85; // share of the context from which the meter warns

/** Shows nothing without an engine or messages: a guess is worse than nothing. */
export async function meterContext(
  engine: Answerer | null,
  messages: ChatMessage[],
): Promise<void> {
  const box = find("context", HTMLElement);
  box.hidden = !engine || messages.length === 0;
  if (!engine || messages.length === 0) return;
  try {
    const used = await engine.countTokens(messages);
    const size = engine.info.context;
    box.hidden = used === null || size === null;
    if (used === null || size === null) return;
    const meter = find("context-meter", HTMLMeterElement);
    meter.max = size;
    meter.high = size * HIGH;
    meter.value = used;
    find("context-text", HTMLElement).textContent = words.composer.context(used, size);
  } catch {
    box.hidden = true;
  }
}
