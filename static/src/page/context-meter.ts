/** How much of the context the conversation takes. */

import { find } from "./dom";
import type { ChatMessage, Engine } from "./engine";
import { words } from "./words";

const HIGH = 0.85; // share of the context from which the meter warns

/** Shows nothing without an engine or messages: a guess is worse than nothing. */
export async function meterContext(engine: Engine | null, messages: ChatMessage[]): Promise<void> {
  const box = find("context", HTMLElement);
  box.hidden = !engine || messages.length === 0;
  if (!engine || messages.length === 0) return;
  try {
    const used = await engine.countTokens(messages);
    const size = engine.info.context;
    const meter = find("context-meter", HTMLMeterElement);
    meter.max = size;
    meter.high = size * HIGH;
    meter.value = used;
    find("context-text", HTMLElement).textContent = words.composer.context(used, size);
  } catch {
    box.hidden = true;
  }
}
