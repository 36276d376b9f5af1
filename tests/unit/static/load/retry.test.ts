import { describe, expect, test } from "vitest";
import { backoff, retryAfter, sleep } from "../../../../static/src/load/retry";

test("waits double, with jitter, up to half a minute", () => {
  const most = [1, 2, 3, 4, 20].map((failures) => backoff(failures, 500, () => 1));
  expect(most).toEqual([500, 1000, 2000, 4000, 30_000]);
  const least = [1, 2, 3, 4, 20].map((failures) => backoff(failures, 500, () => 0));
  expect(least).toEqual([250, 500, 1000, 2000, 15_000]);
});

describe("Retry-After", () => {
  const now = Date.parse("2030-01-01T00:00:00Z");
  test.each([
    [null, 0],
    ["7", 7000],
    ["0", 0],
    ["3600", 60_000],
    ["Tue, 01 Jan 2030 00:00:09 GMT", 9000],
    ["Tue, 01 Jan 2030 01:00:00 GMT", 60_000],
    ["Mon, 31 Dec 2029 00:00:00 GMT", 0],
    ["soon", 0],
    ["-5", 0],
  ])("%s asks for %i ms", (header, wait) => {
    expect(retryAfter(header, now)).toBe(wait);
  });
});

test("a sleep ends early when its signal aborts", async () => {
  const controller = new AbortController();
  const slept = sleep(60_000, controller.signal);
  controller.abort();
  expect(await slept).toBe(false);
  expect(await sleep(60_000, controller.signal)).toBe(false);
  expect(await sleep(1, new AbortController().signal)).toBe(true);
});
