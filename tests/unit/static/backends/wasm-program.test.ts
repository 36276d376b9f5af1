import { describe, expect, test } from "vitest";
import {
  callsOf,
  checkSteps,
  type Kernel,
  share,
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
  };
}

describe("shares", () => {
  test.each([
    [7, 1],
    [7, 2],
    [8, 3],
    [2, 4],
    [1000, 7],
  ])(
    "of %i items among %i threads follow each other and differ by one at most",
    (items, threads) => {
      let next = 0;
      const sizes: number[] = [];
      for (let thread = 0; thread < threads; thread++) {
        const [begin, end] = share(items, { thread, threads });
        expect(begin).toBe(next);
        sizes.push(end - begin);
        next = end;
      }
      expect(next).toBe(items);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    },
  );

  test("a single item is always thread 0's", () => {
    expect(share(1, { thread: 0, threads: 4 })).toEqual([0, 1]);
    for (const thread of [1, 2, 3]) {
      const [begin, end] = share(1, { thread, threads: 4 });
      expect(begin).toBe(end);
    }
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

  function run(thread: number, threads: number): number[][][] {
    const stages = stagesOf(steps, kernels, addresses, { thread, threads });
    return stages.map((stage) => {
      log.length = 0;
      for (const { run } of stage) expect(run()).toBe(0);
      return [...log];
    });
  }

  test("kernels get addresses and their share; single items need no barrier between them", () => {
    const high = 3 * 2 ** 30;
    expect(run(0, 2)).toEqual([
      [[0, high + 512, 1000, 0, 5]],
      [
        [1, 1000, 0, 1],
        [2, 0, 1],
      ],
      [[0, 1000, high, 0, 2]],
      [[1, high, 0, 1]],
    ]);
  });

  test("every thread has the same stages, some of them empty", () => {
    const high = 3 * 2 ** 30;
    expect(run(1, 2)).toEqual([[[0, high + 512, 1000, 5, 10]], [], [[0, 1000, high, 2, 4]], []]);
    expect(run(3, 8).map((calls) => calls.length)).toEqual([1, 0, 1, 0]);
    expect(run(0, 8)[2]).toEqual([]);
  });

  test("a call knows its kernel, for error messages", () => {
    expect(callsOf(kernels, 2, 5, [64], { thread: 0, threads: 1 })[0]?.kernel).toBe(2);
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
