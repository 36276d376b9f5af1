import { describe, expect, test } from "vitest";
import {
  callOf,
  checkSteps,
  chunkBounds,
  type Kernel,
  stagesOf,
} from "../../../../static/src/backends/wasm-program";
import type { Binding, Step } from "../../../../static/src/plan";
import { plan } from "../bundle";

function step(kernel: number, items: number, bindings: Partial<Binding>[] = []): Step {
  return {
    kernel,
    grid: [items, 1, 1],
    bindings: bindings.map((binding) => ({ buffer: 0, offset: 0, bytes: 0, ...binding })),
    layer: null,
    rows_axis: null,
  };
}

describe("chunks", () => {
  test.each([
    [7, 2],
    [8, 3],
    [2, 4],
    [144, 2],
    [1000, 7],
    [12288, 8],
  ])("of %i items for %i threads: every item once, few chunks, ever smaller", (items, threads) => {
    const bounds = chunkBounds(items, threads);
    const sizes = bounds.slice(1).map((end, chunk) => end - (bounds[chunk] ?? 0));
    expect(bounds[0]).toBe(0);
    expect(bounds.at(-1)).toBe(items);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.length).toBeLessThanOrEqual(4 * threads);
    const last = sizes.length - 1; // may be what rounding left
    sizes.slice(1).forEach((size, chunk) => {
      expect(size).toBeLessThanOrEqual(sizes[chunk] ?? 0);
    });
    expect(sizes[0]).toBe(Math.ceil(items / threads / 2));
    expect(sizes[last]).toBeLessThanOrEqual(Math.ceil(items / threads / 8));
  });

  test("halve a thread's part three times", () => {
    expect(chunkBounds(144, 2)).toEqual([0, 36, 72, 90, 108, 117, 126, 135, 144]);
  });

  test("of few items are an item each", () => {
    expect(chunkBounds(7, 4)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("there is one, when there is one item or one thread", () => {
    expect(chunkBounds(1, 4)).toEqual([0, 1]);
    expect(chunkBounds(1000, 1)).toEqual([0, 1000]);
  });
});

describe("stages", () => {
  const log: number[][] = [];
  const kernel =
    (number: number): Kernel =>
    (...args) => {
      log.push([number, ...args]);
      return 0;
    };
  const kernels = [kernel(0), kernel(1), kernel(2)];
  const addresses = [1000, 3 * 2 ** 30];
  const steps = [
    step(0, 10, [{ buffer: 1, offset: 512 }, { buffer: 0 }]),
    step(1, 1, [{ buffer: 0 }]),
    step(2, 1, []),
    step(0, 4, [{ buffer: 0 }, { buffer: 1 }]),
    step(1, 1, [{ buffer: 1 }]),
  ];

  function run(threads: number): number[][][] {
    return stagesOf(steps, kernels, addresses, threads).map(({ calls, bounds }) => {
      log.length = 0;
      bounds.slice(1).forEach((end, chunk) => {
        for (const { run } of calls) expect(run(bounds[chunk] ?? 0, end)).toBe(0);
      });
      return [...log];
    });
  }

  const high = 3 * 2 ** 30;
  const singles = [
    [1, 1000, 0, 1],
    [2, 0, 1],
  ];

  test("kernels get addresses and a chunk; single items need no waiting between them", () => {
    expect(run(2)).toEqual([
      [
        [0, high + 512, 1000, 0, 3],
        [0, high + 512, 1000, 3, 6],
        [0, high + 512, 1000, 6, 7],
        [0, high + 512, 1000, 7, 8],
        [0, high + 512, 1000, 8, 9],
        [0, high + 512, 1000, 9, 10],
      ],
      singles,
      [
        [0, 1000, high, 0, 1],
        [0, 1000, high, 1, 2],
        [0, 1000, high, 2, 3],
        [0, 1000, high, 3, 4],
      ],
      [[1, high, 0, 1]],
    ]);
  });

  test("one thread does everything in one call", () => {
    const whole = [[[0, high + 512, 1000, 0, 10]], singles, [[0, 1000, high, 0, 4]]];
    expect(run(1)).toEqual([...whole, [[1, high, 0, 1]]]);
  });

  test("a call knows its kernel, for error messages", () => {
    expect(callOf(kernels, 2, [64]).kernel).toBe(2);
  });
});

describe("plans are refused", () => {
  test("whose bindings reach beyond their buffer at this context", () => {
    const tokens = plan();
    tokens.functions.decode?.steps.push(step(0, 1, [{ buffer: 2, offset: 256, bytes: 256 }]));
    expect(() => checkSteps(tokens, 127)).not.toThrow();
    expect(() => checkSteps(tokens, 126)).toThrow("decode: step 1 binds more of tokens");
  });

  test("whose grids have more than one dimension", () => {
    const flat = plan();
    flat.functions.decode?.steps.push({ ...step(0, 1), grid: [4, 2, 1] });
    expect(() => checkSteps(flat, 64)).toThrow("decode: step 1 has the grid 4 x 2 x 1");
  });
});
