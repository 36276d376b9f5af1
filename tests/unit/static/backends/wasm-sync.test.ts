import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import { ThreadSync } from "../../../../static/src/backends/wasm-sync";
import type { BarrierData } from "./barrier-worker";

const ROUNDS = 2000;

interface Bundler {
  buildSync(options: object): { outputFiles: { text: string }[] };
}

/** worker_threads take no TypeScript. */
function workerCode(): string {
  const require = createRequire(new URL("../../../../static/package.json", import.meta.url));
  const { buildSync } = require("esbuild") as Bundler;
  const entry = fileURLToPath(new URL("./barrier-worker.ts", import.meta.url));
  const options = { entryPoints: [entry], bundle: true, write: false, platform: "node" };
  return buildSync(options).outputFiles[0]?.text ?? "";
}

/** The last word of each helper, which is the fault that ended it. */
function helpers(data: Omit<BarrierData, "thread">): Promise<string>[] {
  const code = workerCode();
  return Array.from({ length: data.threads - 1 }, (_, index) => {
    const worker = new Worker(code, { eval: true, workerData: { ...data, thread: index + 1 } });
    return new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
  });
}

// Three threads: more than many machines of continuous integration have cores for, so that both
// ways of waiting are taken.
test.each([2, 3])("%i threads walk in step, and a fault ends them all", async (threads) => {
  const sync = ThreadSync.create(threads, 4);
  const rounds = new Int32Array(new SharedArrayBuffer(4 * threads));
  const ended = helpers({ sync: sync.buffer, rounds: rounds.buffer, threads });
  for (const [first, end] of [
    [1, 2],
    [2, ROUNDS],
  ] as const) {
    sync.send({ kind: "run", fn: 0, first, end });
    for (let round = first; round < end; round++) {
      rounds[0] = round;
      sync.barrier();
      expect(rounds.every((other) => other >= round)).toBe(true);
      sync.barrier();
    }
  }
  sync.send({ kind: "probe", kernel: 1, items: 2, pointers: [7, 8, 9] });
  expect(() => sync.barrier()).toThrow("the pointers are 7,8,9");
  for (const word of await Promise.all(ended)) expect(word).toBe("the pointers are 7,8,9");
});

test("a thread that never comes is given up, after a while", () => {
  const wait = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");
  const sync = ThreadSync.create(2, 0);
  expect(() => sync.barrier()).toThrow("no longer answers");
  expect(wait.mock.calls.length).toBe(30);
  wait.mockRestore();
});

test("the first fault is the one that counts, and all later calls throw it", () => {
  const sync = ThreadSync.create(2, 0);
  sync.fail("é".repeat(10_000));
  sync.fail("second");
  expect(() => sync.check()).toThrow(/^é{512}$/);
  expect(() => sync.barrier()).toThrow("é");
  expect(() => sync.next()).toThrow("é");
});
