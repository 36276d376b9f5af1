import { resolveObjectURL } from "node:buffer";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const HERE = new URL("../../../../static/src/engine/", import.meta.url);

interface Started {
  address: string;
  options: WorkerOptions;
}

let started: Started[];

/** A page of this origin; the module under test is that of a file, whose origin is "null". */
async function onPageOf(origin: string) {
  vi.stubGlobal("location", { origin });
  vi.resetModules();
  return import("../../../../static/src/engine/start-worker");
}

beforeEach(() => {
  started = [];
  class Recorder {
    constructor(address: string, options: WorkerOptions) {
      started.push({ address, options });
    }
  }
  vi.stubGlobal("Worker", Recorder);
});
afterEach(() => vi.unstubAllGlobals());

test("on a page of its own origin a worker is started by its address", async () => {
  const { startWorker } = await onPageOf("null");
  startWorker("worker.js", "webkiln");
  expect(started).toEqual([
    { address: new URL("worker.js", HERE).href, options: { type: "module", name: "webkiln" } },
  ]);
});

test("elsewhere from a blob that imports it, and nothing else; one blob for each file", async () => {
  const { startWorker } = await onPageOf("https://elsewhere.example");
  startWorker("thread.js", "one");
  startWorker("thread.js", "two");
  startWorker("worker.js", "three");
  const addresses = started.map(({ address }) => address);
  expect(addresses[0]).toMatch(/^blob:/);
  expect(addresses[1]).toBe(addresses[0]);
  expect(addresses[2]).not.toBe(addresses[0]);
  const blob = resolveObjectURL(addresses[0] as string);
  expect(blob?.type).toBe("text/javascript");
  expect(await blob?.text()).toBe(`import "${new URL("thread.js", HERE).href}";\n`);
});

test.each([
  ["null", "worker-src 'self'; and"],
  ["https://elsewhere.example", "script-src null; worker-src blob: null; and"],
])("a page of %s that forbids it is told what to allow", async (origin, needed) => {
  const { startWorker } = await onPageOf(origin);
  class Forbidden {
    constructor() {
      throw new DOMException("no", "SecurityError");
    }
  }
  vi.stubGlobal("Worker", Forbidden);
  expect(() => startWorker("worker.js", "webkiln")).toThrow(
    expect.objectContaining({
      code: "worker-lost",
      message: expect.stringContaining("no"),
      hint: expect.stringContaining(needed),
    }),
  );
});
