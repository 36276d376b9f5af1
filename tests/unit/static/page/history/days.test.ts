import { expect, test, vi } from "vitest";
import { byDay } from "../../../../../static/src/page/history/days";
import { conversation } from "./samples";

const NOW = new Date(2026, 10, 22, 0, 30); // a Sunday, half past midnight

function names(...dates: Date[]): string[] {
  const summaries = dates.map((date, index) => ({
    ...conversation(String(index), []).summary,
    updated: date.getTime(),
  }));
  return byDay(summaries, NOW, "en").map(({ name, summaries: all }) => `${name}: ${all.length}`);
}

test("days have the names that people give them", () => {
  const dates = [
    new Date(2026, 10, 23), // the clock was set back
    new Date(2026, 10, 22, 0, 1),
    new Date(2026, 10, 21, 23, 59),
    new Date(2026, 10, 21, 0, 1),
    new Date(2026, 10, 16, 12),
    new Date(2026, 10, 15, 12),
    new Date(2025, 10, 22, 12),
    new Date(0),
  ];
  expect(names(...dates)).toEqual([
    "Today: 2",
    "Yesterday: 2",
    "Monday: 1",
    "November 15: 1",
    "November 22, 2025: 1",
    "Some time ago: 1",
  ]);
});

test("no conversations, no days", () => expect(names()).toEqual([]));

test("a thousand conversations need no thousand formats", () => {
  const making = vi.spyOn(Intl, "DateTimeFormat");
  const others = [
    vi.spyOn(Date.prototype, "toLocaleDateString"),
    vi.spyOn(Date.prototype, "toLocaleTimeString"),
  ];
  const days = Array.from({ length: 1000 }, (_, index) => new Date(2026, 10, 20 - index));
  expect(names(...days).length).toBe(1000);
  expect(names(...days).length).toBe(1000);
  expect(making.mock.calls.length).toBeLessThanOrEqual(3);
  for (const spy of others) expect(spy).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});
