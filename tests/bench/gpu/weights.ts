/**
 * Random weights: as many bytes as real ones, in places and number formats of real ones.
 *
 * Codes are random bits. Scales are such that a matrix (N, K) has values of mean 0 and deviation
 * 1 / sqrt(K), so that activations keep their size from layer to layer: nothing overflows, and no
 * number is a NaN or denormal, which some devices compute more slowly. Everything that is f32 (norm
 * weights, biases, rotary frequencies) lies in [0.5, 1). Random bits, not zeros, because a chip that
 * multiplies zeros draws less power and clocks higher.
 */

import type { Bytes } from "../../../static/src/load/files";
import type { Plan, Scheme, Tensor } from "../../../static/src/plan";

const BLOCK = 4 * 2 ** 20; // bytes that repeat: more than any GPU takes for compressible
const SETTLE = 256 * 2 ** 20; // bytes written before the device is waited for

export interface WeightSink {
  write(tensor: string, offset: number, data: Bytes): void;
  settle(): Promise<void>;
}

/** Fills every weight of `plan`. */
export async function fillWeights(
  plan: Plan,
  tensors: Record<string, Tensor>,
  sink: WeightSink,
): Promise<void> {
  const blocks = new Map<string, Bytes>();
  let written = 0;
  for (const { name, kind } of plan.buffers) {
    const tensor = tensors[name];
    if (kind !== "weight" || tensor === undefined) continue; // parsePlan found them all
    for (const [part, span] of Object.entries(tensor.parts)) {
      const make = wordMaker(tensor, part);
      const block = blocks.get(make.key) ?? randomBlock(make.word);
      blocks.set(make.key, block);
      for (let done = 0; done < span.bytes; done += BLOCK) {
        sink.write(name, span.offset + done, block.subarray(0, Math.min(BLOCK, span.bytes - done)));
      }
      written += span.bytes;
    }
    if (written < SETTLE) continue;
    await sink.settle();
    written = 0;
  }
  await sink.settle();
}

/** Random bits to one word of a part; equal keys make equal words. */
interface WordMaker {
  key: string;
  word(random: number): number;
}

function wordMaker({ shape, scheme, layout }: Tensor, part: string): WordMaker {
  if (layout === "plain") return { key: "plain", word: (random) => floatWord(random, 0.5) };
  const columns = shape[1] ?? 1;
  const deviation = 1 / Math.sqrt(columns);
  if (part === "scales") return scaleMaker(scheme, deviation);
  if (scheme.bits === 32) {
    return {
      key: `f32 ${columns}`,
      word: (random) => signed(random, floatWord(random, deviation)),
    };
  }
  if (scheme.bits === 16) {
    const pair = halfWord(deviation, deviation);
    return { key: `f16 ${columns}`, word: (random) => pair ^ (random & 0x83ff83ff) };
  }
  return { key: "codes", word: (random) => random };
}

/** Scales differ in their last bits; a minimum puts the mean at 0. */
function scaleMaker({ bits, has_minimum, in_scales }: Scheme, deviation: number): WordMaker {
  const levels = 2 ** bits;
  const scale = deviation / Math.sqrt((levels * levels - 1) / 12);
  const minimum = ((in_scales ? -1 : -scale) * (levels - 1)) / 2;
  const pair = halfWord(scale, has_minimum ? minimum : scale);
  return { key: `scales ${pair}`, word: (random) => pair ^ (random & 0x000f000f) };
}

function randomBlock(word: (random: number) => number): Bytes {
  const words = new Uint32Array(BLOCK / 4);
  const next = randoms(words.length);
  for (let index = 0; index < words.length; index++) words[index] = word(next());
  return new Uint8Array(words.buffer);
}

/** Marsaglia's xorshift: 32 random bits a call, the same for the same `seed`, which is not 0. */
export function randoms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function signed(random: number, word: number): number {
  return (random & 0x80000000) | word;
}

/** An f32 in the binade of `size`, its mantissa random. */
function floatWord(random: number, size: number): number {
  return (floatBits(size) & 0x7f800000) | (random & 0x007fffff);
}

/** Two f16s, the first in the low half. */
function halfWord(low: number, high: number): number {
  return halfBits(low) | (halfBits(high) << 16);
}

function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
}

/** A number that f16 holds as a normal one, its mantissa cut. */
export function halfBits(value: number): number {
  const bits = floatBits(value);
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent < 1 || exponent > 30) throw new RangeError(`${value} is no normal f16`);
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}
