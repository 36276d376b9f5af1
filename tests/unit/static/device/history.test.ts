import { beforeEach, expect, test } from "vitest";
import { History } from "../../../../static/src/device/history";
import type { Usage } from "../../../../static/src/engine/api";

const DAY = 24 * 3600 * 1000;
const WAY = { model: "sha256-1", variant: "f32" };

let stored: Map<string, string>;
let now: number;
const storage = {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => void stored.set(key, value),
};

/** Every call is a new visit to the same storage. */
function visit(browser = "Browser/1"): History {
  return new History(storage, () => now, browser);
}

function usage(tokens: number, seconds: number): Usage {
  return { completion_tokens: tokens, decode_seconds: seconds } as Usage;
}

beforeEach(() => {
  stored = new Map();
  now = 1e12;
});

test("an answer's speed is kept for its way of running, the newest counting half", () => {
  visit().answered(WAY, 512, usage(21, 2));
  expect(visit().speed(WAY)).toBe(10);
  visit().answered(WAY, 512, usage(21, 1));
  expect(visit().speed(WAY)).toBe(15);
  expect(visit().speed({ ...WAY, variant: "wasm" })).toBeNull();
  expect(visit().speed({ ...WAY, model: "sha256-2" })).toBeNull();
});

test("short answers say nothing", () => {
  visit().answered(WAY, 512, usage(15, 1));
  visit().answered(WAY, 512, usage(100, 0));
  expect(visit().speed(WAY)).toBeNull();
  expect(visit().ran(WAY, 1)).toBe(false);
});

test("it ran with as large a context as it ever did", () => {
  visit().answered(WAY, 1024, usage(20, 1));
  visit().answered(WAY, 512, usage(20, 1));
  expect([visit().ran(WAY, 1024), visit().ran(WAY, 1025)]).toEqual([true, false]);
});

test("the smallest context at which memory ended is kept, until one as large ran", () => {
  visit().ranOutOfMemory(WAY, 4096);
  visit().ranOutOfMemory(WAY, 2048);
  visit().ranOutOfMemory(WAY, 8192);
  expect(visit().ranOut(WAY)).toBe(2048);
  visit().answered(WAY, 1024, usage(20, 1));
  expect(visit().ranOut(WAY)).toBe(2048);
  visit().answered(WAY, 2048, usage(20, 1));
  expect(visit().ranOut(WAY)).toBeNull();
});

test("speeds are forgotten after three months, ends of memory after a week, both with the browser", () => {
  visit().answered(WAY, 512, usage(21, 2));
  visit().ranOutOfMemory(WAY, 4096);
  expect(visit("Browser/2").speed(WAY)).toBeNull();
  expect(visit("Browser/2").ranOut(WAY)).toBeNull();
  now += 8 * DAY;
  expect([visit().speed(WAY), visit().ranOut(WAY)]).toEqual([10, null]);
  now += 83 * DAY;
  expect(visit().speed(WAY)).toBeNull();
});

test.each([
  "{",
  "{}",
  "[1, null, {}]",
  '[{"model": 1, "variant": "f32", "context": 1, "at": 1e12}]',
])("damaged storage is an empty history: %s", (text) => {
  stored.set("webkiln.speeds", text);
  stored.set("webkiln.out-of-memory", text);
  expect([visit().speed(WAY), visit().ranOut(WAY)]).toEqual([null, null]);
  visit().answered(WAY, 512, usage(21, 2));
  expect(visit().speed(WAY)).toBe(10);
});

test("storage that is blocked or full forgets", () => {
  const full = {
    getItem: () => null,
    setItem: () => {
      throw new Error("quota");
    },
  };
  const history = new History(full, () => now, "Browser/1");
  history.answered(WAY, 512, usage(21, 2));
  expect(history.speed(WAY)).toBeNull();
  expect(new History(null, () => now, "Browser/1").speed(WAY)).toBeNull();
});

test("the list stays short", () => {
  for (let model = 0; model < 150; model++) {
    visit().answered({ model: `sha256-${model}`, variant: "f32" }, 1, usage(21, 2));
  }
  expect(JSON.parse(stored.get("webkiln.speeds") ?? "")).toHaveLength(100);
  expect(visit().speed({ model: "sha256-149", variant: "f32" })).toBe(10);
});
