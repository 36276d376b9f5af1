import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { ThreadSync } from "../../../../static/src/backends/wasm-sync";
import type { SyncData } from "./sync-worker";
import { CHUNKS, walk } from "./walk";

const STAGES = 20_000; // passes the numbers' wrap-around

interface Bundler {
  buildSync(options: object): { outputFiles: { text: string }[] };
}

/** worker_threads take no TypeScript. */
function workerCode(): string {
  const require = createRequire(new URL("../../../../static/package.json", import.meta.url));
  const { buildSync } = require("esbuild") as Bundler;
  const entry = fileURLToPath(new URL("./sync-worker.ts", import.meta.url));
  const options = { entryPoints: [entry], bundle: true, write: false, platform: "node" };
  return buildSync(options).outputFiles[0]?.text ?? "";
}

/** The last word of each helper, which is the fault that ended it. */
function helpers(count: number, data: SyncData): Promise<string>[] {
  const code = workerCode();
  return Array.from({ length: count }, () => {
    const worker = new Worker(code, { eval: true, workerData: data });
    return new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
  });
}

// Up to four threads: more than many machines of continuous integration have cores for, so that
// both ways of waiting are taken.
test.each([2, 4])("%i threads do every chunk once, a fault ends them all", async (threads) => {
  const sync = ThreadSync.create(4);
  const counts = new Int32Array(new SharedArrayBuffer(4 * CHUNKS * STAGES));
  const present = new Int32Array(new SharedArrayBuffer(4));
  const data = { sync: sync.buffer, counts: counts.buffer, present: present.buffer };
  const ended = helpers(threads - 1, data);
  await vi.waitUntil(() => present[0] === threads - 1, { timeout: 10_000 });
  for (let first = 0; first < STAGES; ) {
    const end = Math.min(STAGES, first + 1 + (first % 10)); // many commands: helpers miss some
    sync.send({ kind: "run", fn: 0, first, end });
    walk(sync, counts, first, end);
    first = end;
  }
  sync.send({ kind: "probe", kernel: 1, items: 2, pointers: [7, 8, 9] });
  expect(() => sync.finish(1, 0)).toThrow("the pointers are 7,8,9");
  for (const word of await Promise.all(ended)) expect(word).toBe("the pointers are 7,8,9");
});

describe("a thread that comes late", () => {
  const run = (fn: number, end: number) => ({ kind: "run", fn, first: 0, end }) as const;

  /** Thread 0 and a helper, both played by this thread. */
  function pair(): [ThreadSync, ThreadSync] {
    const first = ThreadSync.create(2);
    return [first, new ThreadSync(first.buffer)];
  }

  function doAll(sync: ThreadSync, chunks: number): void {
    for (let chunk = 0; chunk < chunks; chunk++) expect(sync.claim(chunks)).toBe(chunk);
    expect(sync.claim(chunks)).toBeNull();
    sync.finish(chunks, chunks);
  }

  test("finds its stages done and keeps nobody waiting", () => {
    const [sync, helper] = pair();
    sync.send(run(1, 2));
    expect(helper.next()).toEqual(run(1, 2));
    doAll(sync, 3);
    expect(helper.claim(3)).toBeNull();
    helper.finish(3, 0);
    expect(sync.claim(4)).toBe(0);
    expect(helper.claim(4)).toBe(1);
  });

  test("misses commands, and takes nothing of the newest one for the one it knows", () => {
    const [sync, helper] = pair();
    sync.send(run(1, 1));
    expect(helper.next()).toEqual(run(1, 1));
    doAll(sync, 3);
    sync.send({ kind: "probe", kernel: 5, items: 6, pointers: [7, 8] });
    doAll(sync, 2);
    sync.send(run(2, 1));
    expect(helper.claim(3)).toBeNull();
    helper.finish(3, 0);
    expect(helper.next()).toEqual(run(2, 1));
    expect(helper.claim(2)).toBe(0);
    expect(sync.claim(2)).toBe(1);
  });

  test("reads a command whole, whatever comes meanwhile", () => {
    const [sync, helper] = pair();
    sync.send(run(1, 1));
    doAll(sync, 3);
    const load = Atomics.load;
    let loads = 0;
    const spy = vi.spyOn(Atomics, "load").mockImplementation((words, index) => {
      loads += 1;
      if (loads === 4) {
        // The helper has read the command's number and a word or two of it.
        sync.send(run(2, 1));
        doAll(sync, 3);
        sync.send(run(3, 1));
      }
      return load(words, index);
    });
    expect(helper.next()).toEqual(run(3, 1));
    spy.mockRestore();
    expect(helper.claim(3)).toBe(0);
  });
});

test("who sleeps is woken by the last chunk", () => {
  const sync = ThreadSync.create(0);
  const helper = new ThreadSync(sync.buffer);
  const notify = vi.spyOn(Atomics, "notify");
  const wait = vi.spyOn(Atomics, "wait").mockImplementation(() => {
    helper.finish(2, 1);
    expect(notify).toHaveBeenCalledOnce();
    return "ok";
  });
  expect([sync.claim(2), helper.claim(2)]).toEqual([0, 1]);
  sync.finish(2, 1);
  expect(wait).toHaveBeenCalledOnce();
  wait.mockRestore();
  notify.mockRestore();
});

test("a chunk that is never done is given up, after a while", () => {
  const wait = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");
  const sync = ThreadSync.create(0);
  new ThreadSync(sync.buffer).claim(2);
  expect(sync.claim(2)).toBe(1);
  expect(() => sync.finish(2, 1)).toThrow("no longer answers");
  expect(wait.mock.calls.length).toBe(30);
  wait.mockRestore();
});

test("the first fault is the one that counts, and all later calls throw it", () => {
  const sync = ThreadSync.create(0);
  sync.fail("é".repeat(10_000));
  sync.fail("second");
  expect(() => sync.check()).toThrow(/^é{512}$/);
  expect(() => sync.finish(1, 0)).toThrow("é");
  expect(() => sync.finish(1, 1)).toThrow("é");
  expect(() => sync.next()).toThrow("é");
});
