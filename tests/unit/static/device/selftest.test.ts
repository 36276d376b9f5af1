import { describe, expect, test } from "vitest";
import {
  pcgHash,
  selfTest,
  testWords,
  worstDeviation,
} from "../../../../static/src/device/selftest";
import type { SelfTest } from "../../../../static/src/plan";
import { plan } from "../bundle";

const INPUT = { bytes: 24, seed: 0, keep: 0xffffffff, fixed: 0, words: [] };

// The same numbers stand in the compiler's test of its own generator.
test("the hash is PCG's", () => {
  expect([0, 1, 2, 42, 0xffffffff].map(pcgHash)).toEqual([
    129708002, 2831084092, 2055130248, 1223963391, 3861530882,
  ]);
});

test("words: given ones first, then the masked hash of position and seed", () => {
  expect([...testWords(INPUT)]).toEqual([0, 1, 2, 3, 4, 5].map(pcgHash));
  const seeded = testWords({ ...INPUT, seed: 0x80000001, words: [7, 0xffffffff] });
  expect([...seeded.slice(0, 3)]).toEqual([7, 0xffffffff, pcgHash(0x80000003)]);
  // f32 in [1, 2): 23 random bits under the exponent of 1.
  const floats = testWords({ ...INPUT, keep: 0x007fffff, fixed: 0x3f800000 });
  for (const value of new Float32Array(floats.buffer)) {
    expect(value).toBeGreaterThanOrEqual(1);
    expect(value).toBeLessThan(2);
  }
});

describe("worstDeviation", () => {
  const check = (expected: number[], found: number[], tolerance = 0.1, stride = 1) =>
    worstDeviation({ expected, stride, tolerance }, Float32Array.from(found));

  test("accepts what lies within the tolerance, relative above 1", () => {
    expect(check([0, 0.5, 100], [0.09, 0.45, 109])).toBeNull();
    expect(check([4], [4], 0)).toBeNull();
  });

  test("names the worst", () => {
    expect(check([0, 10, 1], [0.2, 13, 1])).toEqual({ index: 1, expected: 10, got: 13 });
  });

  test("reads every stride-th number", () => {
    expect(check([1, 2], [1, 9, 9, 2], 0.1, 3)).toBeNull();
    expect(check([1, 2], [1, 2, 9, 9], 0.1, 3)).toEqual({ index: 1, expected: 2, got: 9 });
  });

  test("NaN and missing numbers are as wrong as can be", () => {
    expect(check([1, 2], [50, Number.NaN])).toEqual({ index: 1, expected: 2, got: Number.NaN });
    expect(check([1, 2], [1])).toEqual({ index: 1, expected: 2, got: Number.NaN });
  });
});

describe("selfTest", () => {
  const known: SelfTest = {
    kernel: 0,
    grid: [3, 1, 1],
    inputs: [{ ...INPUT, bytes: 8, words: [5] }],
    output: 0,
    stride: 1,
    expected: [1.5],
    tolerance: 1e-5,
  };
  const giving = (value: number) => {
    const asked: unknown[] = [];
    return {
      asked,
      probe: async (...args: unknown[]) => {
        asked.push(args);
        // In the middle of a larger buffer, as a backend may hand it out.
        return new Uint32Array(Float32Array.of(99, value).buffer, 4, 1);
      },
    };
  };

  test("hands the backend kernel, grid and content", async () => {
    const backend = giving(1.5);
    await selfTest(backend, plan(), [known]);
    expect(backend.asked).toEqual([[0, [3, 1, 1], [Uint32Array.of(5, pcgHash(1))], 0]]);
  });

  test("a wrong answer names the kernel, the number and both values", async () => {
    await expect(selfTest(giving(2.5), plan(), [known, known])).rejects.toMatchObject({
      code: "wrong-answer",
      message: expect.stringMatching(/kernel k gave 2\.5 where 1\.5 is right \(number 0\)/),
    });
  });
});
