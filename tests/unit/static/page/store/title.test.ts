import { expect, test } from "vitest";
import { titleOf } from "../../../../../static/src/page/store/title";

const ask = (content: string) => titleOf([{ role: "user", content }]);

test("is the first line of the first question", () => {
  expect(ask("\n  What is   clay?\nAnd a kiln?")).toBe("What is clay?");
  expect(titleOf([])).toBe("");
  expect(titleOf([{ role: "assistant", content: "Hello" }])).toBe("");
});

test("ends at a word", () => {
  const title = ask("Why does clay shrink when it dries, and how much more when it is fired?");
  expect(title).toBe("Why does clay shrink when it dries, and how much more when…");
});

test("is cut between characters where there are no words", () => {
  expect(ask("🏺".repeat(100))).toBe(`${"🏺".repeat(60)}…`);
});
