import { beforeEach, describe, expect, test } from "vitest";
import { CrashMarker, CrashMarks } from "../../../../static/src/device/crash";

const DAY = 24 * 3600 * 1000;
const NOBODY: ReadonlySet<string> = new Set();

let stored: Map<string, string>;
let now: number;

const storage = {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => void stored.set(key, value),
};

/** What a visit with `browser` has; every call is a new visit to the same storage. */
function visit(browser = "Browser/1"): CrashMarks {
  return new CrashMarks(storage, browser, () => now);
}

class FakePage extends EventTarget {
  hidden = false;

  say(type: string, hidden = this.hidden): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event(type));
  }
}

let page: FakePage;
let marker: CrashMarker;

beforeEach(() => {
  stored = new Map();
  now = 1e12;
  page = new FakePage();
  marker = new CrashMarker(visit(), "mini", "lock 1", page);
});

const crashed = (alive = NOBODY) => visit().crashed("mini", alive);

describe("a mark", () => {
  test("left behind by a load is a crash of that variant of that model", () => {
    marker.begin("f16");
    expect(crashed()).toEqual(["f16"]);
    expect(visit().crashed("other", NOBODY)).toEqual([]);
  });

  test("of a load that another tab is busy with is none", () => {
    marker.begin("f16");
    expect(crashed(new Set(["lock 1"]))).toEqual([]);
    expect(crashed(new Set(["lock 2"]))).toEqual(["f16"]);
  });

  test.each(["works", "failed"] as const)("is gone after a load that %s", (outcome) => {
    marker.begin("f16");
    marker.end(outcome);
    expect(crashed()).toEqual([]);
  });

  test("follows the ladder down", () => {
    marker.begin("f16");
    marker.begin("f32");
    expect(crashed()).toEqual(["f32"]);
  });

  test("of a crash that the page saw needs no dead owner", () => {
    marker.begin("f16");
    marker.end("crashed");
    marker.crashed("wasm"); // in the middle of an answer
    expect(crashed(new Set(["lock 1"]))).toEqual(["f16", "wasm"]);
  });
});

describe("a crash is remembered", () => {
  beforeEach(() => {
    marker.begin("f16");
    page = new FakePage();
    marker = new CrashMarker(visit(), "mini", "lock 2", page);
  });

  test("for seven days", () => {
    now += 7 * DAY - 1;
    expect(crashed()).toEqual(["f16"]);
    now += 1;
    expect(crashed()).toEqual([]);
  });

  test("until the browser's version changes", () => {
    expect(visit("Browser/2").crashed("mini", NOBODY)).toEqual([]);
  });

  test("until it works", () => {
    marker.begin("f16");
    marker.end("failed");
    expect(crashed()).toEqual(["f16"]);
    marker.begin("f16");
    marker.end("works");
    expect(crashed()).toEqual([]);
  });

  test("by other variants that work", () => {
    marker.begin("f32");
    marker.end("works");
    expect(crashed()).toEqual(["f16"]);
  });
});

describe("a visitor who leaves while it loads did not crash", () => {
  beforeEach(() => marker.begin("f16"));

  test("by closing the tab", () => {
    page.say("pagehide");
    expect(crashed()).toEqual([]);
    page.say("visibilitychange", true);
    expect(crashed()).toEqual([]);
  });

  test("by turning to another app, which may be the end of the tab", () => {
    page.say("visibilitychange", true);
    expect(crashed()).toEqual([]);
    page.say("visibilitychange", false);
    expect(crashed()).toEqual(["f16"]);
  });

  test("nor does one who comes back to a finished load leave a mark", () => {
    page.say("visibilitychange", true);
    marker.end("works");
    page.say("visibilitychange", false);
    page.say("pageshow");
    expect(crashed()).toEqual([]);
  });

  test("by going on, and coming back to the page as it was", () => {
    page.say("pagehide", true);
    page.say("pageshow", false);
    expect(crashed()).toEqual(["f16"]);
  });
});

test("a load begun in the background is marked when the page is looked at", () => {
  page.hidden = true;
  marker.begin("f16");
  expect(crashed()).toEqual([]);
  page.say("visibilitychange", false);
  expect(crashed()).toEqual(["f16"]);
});

test.each(["not JSON", "7", '[null, 3, {"model": "mini"}]'])("%s in storage is no mark", (text) => {
  stored.set("webkiln.crashes", text);
  expect(crashed()).toEqual([]);
  marker.begin("f16");
  expect(crashed()).toEqual(["f16"]);
});

test("blocked storage stops nothing", () => {
  const blocked = () => {
    throw new DOMException("blocked", "SecurityError");
  };
  for (const broken of [null, { getItem: blocked, setItem: blocked }]) {
    const marks = new CrashMarks(broken, "Browser/1", () => now);
    const blind = new CrashMarker(marks, "mini", "lock", page);
    blind.begin("f16");
    blind.end("crashed");
    expect(marks.crashed("mini", NOBODY)).toEqual([]);
  }
});
