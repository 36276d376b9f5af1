import { expect, test } from "vitest";
import { defaultThreads } from "../../../../static/src/backends/wasm-threads";

test.each([
  [0, 1],
  [1, 1],
  [2, 2],
  [4, 4],
  [6, 4],
  [8, 4],
  [10, 5],
  [16, 8],
  [64, 8],
])("on %i logical processors, %i threads", (cores, threads) => {
  expect(defaultThreads(cores)).toBe(threads);
});
