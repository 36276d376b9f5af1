import { expect, test } from "vitest";
import { memory } from "../../../../static/src/page/storage";

function refused(): never {
  throw new DOMException("denied", "SecurityError");
}

test("remembers what it is told", () => {
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
    key: (index: number) => [...items.keys()][index] ?? null,
    get length() {
      return items.size;
    },
  } as Storage;
  const kept = memory(() => storage);
  expect(kept.read("a")).toBe(null);
  kept.write("a", "1");
  expect(kept.read("a")).toBe("1");
  kept.write("b", "2");
  expect(kept.keys()).toEqual(["a", "b"]);
  kept.remove("a");
  expect(kept.keys()).toEqual(["b"]);
});

test("blocked storage is an empty one", () => {
  const blocked = memory(refused);
  expect(() => blocked.write("a", "1")).not.toThrow();
  expect(blocked.read("a")).toBe(null);
  expect(() => blocked.remove("a")).not.toThrow();
  expect(blocked.keys()).toEqual([]);
});

test("full storage loses the write alone", () => {
  const full = memory(() => ({ getItem: () => "old", setItem: refused }) as unknown as Storage);
  expect(() => full.write("a", "1")).not.toThrow();
  expect(full.read("a")).toBe("old");
});
