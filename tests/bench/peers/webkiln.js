import { createEngine } from "/engine.js";
import { expectTokens } from "./measure.js";

export async function open(options) {
  const engine = await createEngine(options);
  const { threads, variant, backend } = engine.info;
  return {
    info: { threads, variant, backend },
    generate: (prompt, count, onToken) => generate(engine, prompt, count, onToken),
  };
}

async function generate(engine, prompt, count, onToken) {
  const first = await engine.generate(prompt.ids, 1);
  onToken();
  // The prompt's keys and values are still there, so this only decodes.
  const rest = await engine.generate([...prompt.ids, ...first], count - 1);
  expectTokens(prompt, count, { prompt: prompt.ids.length, made: first.length + rest.length });
}
