import { expect, test } from "vitest";
import { together } from "../../../../static/src/engine/together";

const never = new AbortController().signal;

test("gives all results in their order", async () => {
  const results = await together(never, () => [
    new Promise<string>((resolve) => setTimeout(() => resolve("late"))),
    Promise.resolve(2),
  ]);
  expect(results).toEqual(["late", 2]);
});

test("a failure stops the others, and is thrown once they have ended", async () => {
  const log: string[] = [];
  const all = together(never, (signal) => [
    Promise.reject(new Error("first")),
    new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () => {
        log.push("told to stop");
        setTimeout(() => {
          log.push("ended");
          reject(new Error("second"));
        });
      });
    }),
  ]);
  await expect(all).rejects.toThrow("first");
  expect(log).toEqual(["told to stop", "ended"]);
});

test("passes the caller's abort on", async () => {
  const controller = new AbortController();
  const all = together(controller.signal, (signal) => [
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  ]);
  controller.abort(new Error("enough"));
  await expect(all).rejects.toThrow("enough");
});
