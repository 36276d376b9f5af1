import { expect, test } from "vitest";
import type { Turn } from "../../../../../static/src/page/conversation";
import { applyUnsaved } from "../../../../../static/src/page/store/unsaved";

const question: Turn = { role: "user", content: "What is clay?" };
const answer = (content: string, finish?: Turn["finish"]): Turn => ({
  role: "assistant",
  content,
  ...(finish && { finish }),
});
const left = (...turns: [number, Turn][]) =>
  turns.map(([index, turn]) => ({ ...turn, index, conversation: "a1" }));

test("the end of an answer is put where it belongs", () => {
  const turns = [question, answer("Mu")];
  expect(applyUnsaved(turns, left([1, answer("Mud")]))).toBe(true);
  expect(turns).toEqual([question, answer("Mud")]);
});

test("turns that were never written follow those that were", () => {
  const turns: Turn[] = [];
  expect(applyUnsaved(turns, left([0, question], [1, answer("M")]))).toBe(true);
  expect(turns).toEqual([question, answer("M")]);
});

test.each([
  [
    "an answer that another tab finished",
    [question, answer("Mud.", "stop")],
    left([1, answer("M")]),
  ],
  ["one that another tab took further", [question, answer("Mud.")], left([1, answer("Mud")])],
  ["another one", [question, answer("Earth")], left([1, answer("Mud")])],
  ["what is there already", [question, answer("Mud")], left([1, answer("Mud")])],
  ["a gap", [question], left([2, answer("Mud")])],
])("%s stays as it is", (_, turns, unsaved) => {
  const before = structuredClone(turns);
  expect(applyUnsaved(turns, unsaved)).toBe(false);
  expect(turns).toEqual(before);
});
