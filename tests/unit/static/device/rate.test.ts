import { expect, test } from "vitest";
import { tokensPerSecond } from "../../../../static/src/device/rate";

test("n tokens lie n - 1 intervals apart", () => {
  expect(tokensPerSecond(2, 0.5)).toBe(2);
  expect(tokensPerSecond(101, 10)).toBe(10);
});

test.each([
  [0, 1],
  [1, 1e-3],
  [16, 0],
])("%d tokens in %d s tell nothing", (tokens, seconds) => {
  expect(tokensPerSecond(tokens, seconds)).toBeNull();
});
