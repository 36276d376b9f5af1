import { describe, expect, test } from "vitest";
import { shouldReload } from "../../../../static/src/page/isolation";
import { type Memory, memory } from "../../../../static/src/page/storage";

const FIRST = { isolated: false, framed: false, touched: false };

function tab(): Memory {
  const kept = new Map<string, string>();
  return {
    read: (key) => kept.get(key) ?? null,
    write: (key, value) => kept.set(key, value),
    remove: (key) => kept.delete(key),
    keys: () => [...kept.keys()],
  };
}

describe("a page that is not isolated", () => {
  test("is reloaded once, whatever comes of it", () => {
    const memory = tab();
    const reloads = [1, 2, 3].map(() => shouldReload(FIRST, memory));
    expect(reloads).toEqual([true, false, false]);
  });

  test("is reloaded again when it was isolated in between, as after a forced reload", () => {
    const memory = tab();
    expect(shouldReload(FIRST, memory)).toBe(true);
    expect(shouldReload({ ...FIRST, isolated: true }, memory)).toBe(false);
    expect(shouldReload(FIRST, memory)).toBe(true);
    expect(shouldReload(FIRST, memory)).toBe(false);
  });

  test.each([{ isolated: true }, { framed: true }, { touched: true }])("stays with %o", (state) => {
    expect(shouldReload({ ...FIRST, ...state }, tab())).toBe(false);
  });

  test("stays where the reload could not be remembered", () => {
    const shut = memory(() => {
      throw new DOMException("blocked", "SecurityError");
    });
    expect(shouldReload(FIRST, shut)).toBe(false);
  });
});
