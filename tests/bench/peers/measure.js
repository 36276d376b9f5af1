/**
 * One way to time every engine.
 *
 * A module per engine exports `open(options)`, which resolves to `{info, generate}`: `info` says
 * what really runs (`threads` at least), and `generate(prompt, count, onToken)` decodes greedily
 * exactly `count` tokens after `prompt = {text, ids}`, calls `onToken` once the first is there (and
 * for later ones if it likes) and resolves when all are. It throws when it made any other number
 * of them, heeds no stop token, and reuses nothing of earlier prompts.
 */

let engine;

/** Opens `/bench/<name>.js`; seconds until the engine can take a prompt. */
export async function load(name, options) {
  const { open } = await import(`./${name}.js`);
  const start = performance.now();
  engine = await open(options);
  return {
    seconds: seconds(start),
    info: engine.info,
    hardwareConcurrency: navigator.hardwareConcurrency,
    crossOriginIsolated,
  };
}

/** Seconds to the first token, and seconds for the `count` that follow it. */
export async function run(prompt, count) {
  let first;
  const start = performance.now();
  await engine.generate(prompt, count + 1, () => {
    first ??= performance.now();
  });
  return { first: (first - start) / 1000, rest: seconds(first) };
}

/** For engines to check themselves with. */
export function expectTokens(prompt, count, got) {
  if (got.prompt !== prompt.ids.length || got.made !== count)
    throw new Error(`asked for ${prompt.ids.length} + ${count} tokens, got ${JSON.stringify(got)}`);
}

function seconds(start) {
  return (performance.now() - start) / 1000;
}
