/** How fast one thread of WebAssembly gets through weights. */

import { APART, OPERANDS, readerModule, SPAN } from "./module";

const PAGE = 1 << 16;
const WINDOW_MS = 50;
const BLOCK = 1 << 20; // bytes of random bits, again and again

export interface Reader {
  /** Bytes a second, the best of some windows, within `ms` in all. */
  run(ms: number): number;
}

/** A reader of `bytes` of made-up weights: more than caches hold, as a model is. */
export async function openReader(bytes: number, relaxed: boolean): Promise<Reader> {
  const pieces = Math.max(1, Math.floor(bytes / SPAN));
  const pages = Math.ceil((OPERANDS + pieces * SPAN) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages });
  fill(new Uint32Array(memory.buffer));
  const { instance } = await WebAssembly.instantiate(readerModule(relaxed), { env: { memory } });
  const read = instance.exports.read as (begin: number, end: number) => number;
  let next = 0;
  const piece = (): number => {
    const begin = OPERANDS + next * SPAN;
    read(begin, begin + APART);
    next = (next + 1) % pieces;
    return SPAN;
  };
  return { run: (ms) => best(piece, ms) };
}

function best(piece: () => number, ms: number): number {
  const end = performance.now() + ms;
  for (let warm = 0; warm < 8; warm++) piece();
  let most = 0;
  do {
    const start = performance.now();
    let bytes = 0;
    while (performance.now() - start < WINDOW_MS) bytes += piece();
    most = Math.max(most, (bytes * 1000) / (performance.now() - start));
  } while (performance.now() < end - WINDOW_MS);
  return most;
}

/** Random bits; the operands as floats are small numbers, never denormal. */
export function fill(words: Uint32Array): void {
  const block = Math.min(words.length, BLOCK / 4);
  let state = 1;
  for (let index = 0; index < block; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state;
  }
  for (let start = block; start < words.length; start += block) {
    words.copyWithin(start, 0, Math.min(block, words.length - start));
  }
  new Float32Array(words.buffer, words.byteOffset, OPERANDS / 4).fill(0.5);
}
