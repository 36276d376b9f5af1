import { beforeEach, expect, test } from "vitest";
import type { CapabilityReport } from "../../../../static/src/engine/api";
import { Paces, type Subject, subjectOf } from "../../../../static/src/engine/pace";
import type { PaceReply, PaceRequest } from "../../../../static/src/pace/protocol";
import type { Variant } from "../../../../static/src/plan";

const WEEK = 7 * 24 * 3600 * 1000;
const CARD: Subject = { backend: "webgpu", adapter: "acme" };
const THREADS: Subject = { backend: "wasm", threads: 4, relaxed: true };

let stored: Map<string, string>;
let now: number;
let asked: PaceRequest[];
let running: number;
const storage = {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => void stored.set(key, value),
};

beforeEach(() => {
  stored = new Map();
  now = 1e12;
  asked = [];
  running = 0;
});

type Answer = (request: PaceRequest) => PaceReply | "nothing" | "error";

const answer: Answer = ({ type }) =>
  type === "open"
    ? { type: "opened" }
    : { type: "pace", pace: { bytesPerSecond: 1e9, secondsPerDispatch: 1e-6 } };

class FakeWorker {
  onmessage: ((event: { data: PaceReply }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(private readonly answer: Answer) {
    running += 1;
  }

  postMessage(request: PaceRequest): void {
    asked.push(request);
    const reply = this.answer(request);
    queueMicrotask(() => {
      if (reply === "error") this.onerror?.();
      else if (reply !== "nothing") this.onmessage?.({ data: reply });
    });
  }

  terminate(): void {
    running -= 1;
  }
}

function visit(say: Answer = answer, browser = "Browser/1"): Paces {
  const start = () => new FakeWorker(say) as unknown as Worker;
  return new Paces(start, storage, () => now, browser);
}

test("a card is measured by one worker, and remembered", async () => {
  expect(visit().recall(CARD)).toBeNull();
  const pace = await visit().measure(CARD);
  expect(pace).toEqual({ bytesPerSecond: 1e9, secondsPerDispatch: 1e-6 });
  expect(asked.map(({ type }) => type)).toEqual(["webgpu"]);
  expect(visit().recall(CARD)).toMatchObject(pace ?? {});
  expect(running).toBe(0);
});

test("threads read side by side, and their rates add up", async () => {
  const pace = await visit().measure(THREADS);
  expect(pace?.bytesPerSecond).toBe(4e9);
  const types = asked.map(({ type }) => type);
  expect(types).toEqual([...Array(4).fill("open"), ...Array(4).fill("read")]); // all at once
  expect(asked[0]).toEqual({ type: "open", bytes: 1 << 24, relaxed: true });
});

test("a pace is of one subject, one browser version and one week", async () => {
  await visit().measure(CARD);
  expect(visit().recall({ ...CARD, adapter: "other" })).toBeNull();
  expect(visit().recall(THREADS)).toBeNull();
  expect(visit(answer, "Browser/2").recall(CARD)).toBeNull();
  now += WEEK;
  expect(visit().recall(CARD)).toBeNull();
});

test.each<[string, Answer]>([
  ["refuses", () => ({ type: "failed", why: "no adapter" })],
  ["does not load", () => "error"],
  [
    "reads nothing",
    ({ type }) =>
      type === "open"
        ? { type: "opened" }
        : { type: "pace", pace: { bytesPerSecond: 0, secondsPerDispatch: 0 } },
  ],
])("a worker that %s leaves no pace and no worker behind", async (_, say) => {
  expect(await visit(say).measure(CARD)).toBeNull();
  expect(await visit(say).measure(THREADS)).toBeNull();
  expect([running, stored.size]).toEqual([0, 0]);
});

test("an abort ends a measurement that hangs", async () => {
  const stop = new AbortController();
  const measured = visit(() => "nothing").measure(THREADS, stop.signal);
  stop.abort();
  expect(await measured).toBeNull();
  expect(running).toBe(0);
});

test("what is measured is what would run", () => {
  const report = { adapter: null, cores: 12 } as CapabilityReport;
  const variant = (backend: string, features: string[]) =>
    ({ backend, requires: { features, limits: {} } }) as unknown as Variant;
  expect(subjectOf(variant("webgpu", []), report)).toEqual({ backend: "webgpu", adapter: "null" });
  const wasm = (features: string[]) => subjectOf(variant("wasm", features), report);
  expect(wasm(["threads", "relaxed-simd"])).toEqual({ backend: "wasm", threads: 6, relaxed: true });
  expect(wasm(["simd128"])).toEqual({ backend: "wasm", threads: 1, relaxed: false });
});
