import { expect, test } from "vitest";
import { EFFICIENCY, estimate } from "../../../../static/src/device/speed";

const VARIANT = {
  backend: "webgpu" as const,
  bytes_per_token: 1e8 - 256 * 1000,
  dispatches_per_token: 100,
  memory: { weights: 0, scratch: 0, state_base: 0, state_per_token: 1000 },
};

test("a token takes reading its bytes and launching its dispatches", () => {
  const pace = { bytesPerSecond: 1e9 / EFFICIENCY.webgpu, secondsPerDispatch: 0.001 };
  expect(estimate(VARIANT, pace)).toBeCloseTo(1 / (0.1 + 0.1), 9); // of 256 tokens' keys too
});

test("there is no estimate for what does not decode, nor from a pace of nothing", () => {
  const pace = { bytesPerSecond: 1e9, secondsPerDispatch: 0 };
  expect(estimate({ ...VARIANT, bytes_per_token: null }, pace)).toBeNull();
  expect(estimate({ ...VARIANT, dispatches_per_token: null }, pace)).toBeNull();
  expect(estimate(VARIANT, { ...pace, bytesPerSecond: 0 })).toBeNull();
});
