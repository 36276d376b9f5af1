import { beforeEach, expect, test, vi } from "vitest";
import type { Summary } from "../../../../../static/src/page/store/schema";
import { conversation } from "./samples";

const updates = vi.hoisted(() => ({ rows: [] as string[] }));
vi.mock("../../../../../static/src/page/history/row", () => ({
  Row: class {
    update({ id }: Summary, current: boolean, detail: string) {
      updates.rows.push(`${id}${current ? "*" : ""} ${detail}`);
    }
  },
}));
vi.mock("../../../../../static/src/page/dom", () => ({
  element: () => ({ replaceChildren() {} }),
}));
vi.stubGlobal("document", { documentElement: { lang: "en" }, activeElement: null });
vi.stubGlobal("HTMLElement", class {});

const { List } = await import("../../../../../static/src/page/history/list");

const NOW = new Date(2026, 10, 22, 15, 0);
const at = (id: string, hour: number, minute = 0): Summary => ({
  ...conversation(id, []).summary,
  model: "",
  updated: new Date(2026, 10, 22, hour, minute).getTime(),
});
const context = { current: "b", modelName: (folder: string) => folder };
const list = new List({ open() {}, rename() {}, exportAs() {}, delete() {} });

beforeEach(() => {
  const summaries = [at("a", 14), at("b", 12), at("c", 9), at("d", 8)];
  list.show({ ...context, summaries, snippets: new Map() }, NOW);
  updates.rows = [];
});

test("what was written changes its own row", () => {
  expect(list.renew(at("a", 14, 59), context, NOW)).toBe(true);
  expect(list.renew(at("b", 12, 30), context, NOW)).toBe(true);
  expect(updates.rows).toEqual(["a 02:59 PM", "b* 12:30 PM"]);
});

test.each([
  ["is new", at("e", 14, 59), NOW],
  ["has overtaken another", at("b", 14, 30), NOW],
  ["has got another day", at("a", 14), new Date(2026, 10, 23, 0, 1)],
])("the list is shown anew when one %s", (_, summary, now) => {
  const updated = summary.id === "a" ? new Date(2026, 10, 23).getTime() : summary.updated;
  expect(list.renew({ ...summary, updated }, context, now)).toBe(false);
  expect(updates.rows).toEqual([]);
});
