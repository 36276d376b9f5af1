import { expect, test } from "vitest";
import { APART, OPERANDS, RUNS, readerModule, SPAN } from "../../../../static/src/pace/module";
import { fill, openReader } from "../../../../static/src/pace/wasm";

// Relaxed SIMD is off in some versions of Node: there the module is only looked at.
const MODES = [false, true].filter((relaxed) => WebAssembly.validate(readerModule(relaxed)));

async function reader(relaxed: boolean, memory: WebAssembly.Memory) {
  const imports = { env: { memory } };
  const { instance } = await WebAssembly.instantiate(readerModule(relaxed), imports);
  return instance.exports.read as (begin: number, end: number) => number;
}

/** Memory of words that are all the same, behind operands of ones. */
function memoryOf(word: number, relaxed: boolean): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((OPERANDS + SPAN) / 65536) });
  new Uint32Array(memory.buffer).fill(word);
  if (relaxed) new Int8Array(memory.buffer, 0, OPERANDS).fill(1);
  else new Float32Array(memory.buffer, 0, OPERANDS / 4).fill(1);
  return memory;
}

const CODES = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8;
const VECTORS = RUNS * 4; // of one turn

test("one of the two forms runs everywhere", () => {
  expect(MODES).toContain(false);
});

test("floats: each of the eight codes of a word counts once, in every run", async () => {
  const read = await reader(false, memoryOf(0x87654321, false));
  expect(read(OPERANDS, OPERANDS + 64)).toBe(VECTORS * CODES);
  expect(read(OPERANDS, OPERANDS + 3 * 64)).toBe(3 * VECTORS * CODES);
});

test("the runs lie so far apart", async () => {
  const memory = memoryOf(0, false);
  const read = await reader(false, memory);
  for (let run = 0; run < RUNS; run++) {
    new Uint32Array(memory.buffer)[(OPERANDS + run * APART) / 4] = 1 << (4 * run);
  }
  expect(read(OPERANDS, OPERANDS + 64)).toBe(RUNS); // a code of 1 in each
  expect(read(OPERANDS + 64, OPERANDS + APART)).toBe(0);
});

test.runIf(MODES.includes(true))("bytes: three digits times the same codes", async () => {
  const read = await reader(true, memoryOf(0x87654321, true));
  // Each lane adds 36 codes, in each digit's place; the scale is the first operand as a float.
  const scale = new Float32Array(Int8Array.of(1, 1, 1, 1).buffer)[0] ?? 0;
  const one = CODES * (65536 + 256 + 1) * scale;
  expect(read(OPERANDS, OPERANDS + 64) / (VECTORS * one)).toBeCloseTo(1, 5);
});

test("memory is filled to its end with words that differ, operands apart", () => {
  const words = new Uint32Array((3 << 20) / 4);
  fill(words);
  expect(new Float32Array(words.buffer, 0, OPERANDS / 4).every((value) => value === 0.5)).toBe(
    true,
  );
  const block = words.subarray(OPERANDS / 4, 1 << 18);
  expect(new Set(block).size).toBe(block.length);
  expect(words.at(-1)).toBe(words[(1 << 18) - 1]);
});

test("a reader gives a rate", async () => {
  const { run } = await openReader(1 << 20, false);
  expect(run(1)).toBeGreaterThan(0);
});
