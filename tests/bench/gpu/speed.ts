/** Tokens per second of the engine's own token loop and backend. */

import { WebGpuBackend } from "../../../static/src/backends/webgpu";
import { Generator } from "../../../static/src/engine/generate";
import { GREEDY } from "../../../static/src/engine/requests";
import { positionState } from "../../../static/src/engine/state";
import type { Program } from "./bundle";
import { type Spread, spread } from "./spread";
import { fillWeights, randoms } from "./weights";

export interface Lengths {
  context: number;
  /** Tokens of the prompts that are tried. */
  prompts: number[];
  /** Tokens decoded after each. */
  decode: number;
  rounds: number;
}

/** What was measured after prompts of one length. */
export interface Point {
  prompt: number;
  decode: number;
  prefill_tokens_per_s: Spread;
  decode_tokens_per_s: Spread;
}

export interface Speed {
  points: Point[];
  /** Milliseconds the CPU takes to encode and submit one decode step. */
  step_cpu_ms: Spread;
}

export async function measureSpeed(
  adapter: GPUAdapter,
  program: Program,
  lengths: Lengths,
): Promise<Speed> {
  const { manifest, variant, plan, kernels } = program;
  const backend = await WebGpuBackend.open(adapter, variant, plan, kernels, lengths.context);
  try {
    await fillWeights(plan, manifest.tensors, {
      write: (name, offset, data) => backend.writeWeight(name, offset, data),
      settle: () => backend.settle(),
    });
    await backend.prepare(() => {});
    const answer = answers(backend, manifest.vocabulary);
    await answer(16, 4); // first uses cost more
    const points: Point[] = [];
    for (const prompt of lengths.prompts) points.push(await measurePoint(answer, prompt, lengths));
    return { points, step_cpu_ms: await measureSteps(backend, lengths) };
  } finally {
    backend.dispose();
  }
}

interface Rates {
  prefill: number;
  decode: number;
}

/** A function that answers a random prompt, no start of which was seen before. */
function answers(
  backend: WebGpuBackend,
  vocabulary: number,
): (prompt: number, count: number) => Promise<Rates> {
  const generator = new Generator(backend, vocabulary);
  const next = randoms(7);
  return async (length, count) => {
    const { signal } = new AbortController();
    const prompt = Array.from({ length }, () => next() % vocabulary);
    const made = await generator.run({
      prompt,
      maxTokens: count + 1, // the first one is prefill's
      sampling: GREEDY,
      stopTokens: [],
      speculation: "off",
      onToken: () => true,
      signal,
    });
    if (made.tokens.length !== count + 1) throw new Error(`made ${made.tokens.length} tokens`);
    return { prefill: length / made.prefillSeconds, decode: count / made.decodeSeconds };
  };
}

async function measurePoint(
  answer: (prompt: number, count: number) => Promise<Rates>,
  prompt: number,
  { decode, rounds }: Lengths,
): Promise<Point> {
  const rates: Rates[] = [];
  for (let round = 0; round < rounds; round++) rates.push(await answer(prompt, decode));
  return {
    prompt,
    decode,
    prefill_tokens_per_s: spread(rates.map((rate) => rate.prefill)),
    decode_tokens_per_s: spread(rates.map((rate) => rate.decode)),
  };
}

/** `step` returns once its command buffer is submitted: what it took until then. */
async function measureSteps(backend: WebGpuBackend, { decode }: Lengths): Promise<Spread> {
  backend.write("control", ...positionState(0));
  const times: number[] = [];
  for (let index = 0; index < decode; index++) {
    const start = performance.now();
    const taken = backend.step("decode");
    times.push(performance.now() - start);
    await taken;
  }
  return spread(times);
}
