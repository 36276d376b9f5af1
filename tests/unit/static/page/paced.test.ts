import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { paced } from "../../../../static/src/page/dom";

const FRAME = 16;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => setTimeout(run, FRAME));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** How often something that takes `cost` milliseconds runs, asked for every millisecond. */
function runs(cost: number, total: number): number {
  let count = 0;
  vi.spyOn(performance, "now").mockImplementation(() => Date.now() + count * cost);
  const draw = paced(() => {
    count++;
  });
  for (let time = 0; time < total; time++) {
    draw();
    vi.advanceTimersByTime(1);
  }
  return count;
}

test("what is quick runs once a frame", () => {
  expect(runs(0, 1600)).toBeGreaterThanOrEqual(90);
});

test("what takes long leaves most of the time to others", () => {
  const count = runs(100, 10_000);
  expect(count).toBeGreaterThan(10);
  expect(count * 100).toBeLessThan(10_000 / 2);
});
