import { expect, test } from "vitest";
import { merge } from "../../../../../static/src/page/history/merge";
import { ask, conversation, say } from "./samples";

const short = conversation("a1", [ask("What is clay?"), say("Mud.")]);
const long = conversation("a1", [...short.turns, ask("And a kiln?"), say("An oven.")]);
const other = conversation("a1", [ask("What is clay?"), say("Earth.")]);

test("what is not here is added", () => {
  expect(merge([], [short])).toEqual({ added: [short], known: 0 });
});

test("what is here, as it is or longer, is known", () => {
  expect(merge([short], [short])).toEqual({ added: [], known: 1 });
  expect(merge([long], [short])).toEqual({ added: [], known: 1 });
});

test("a longer version replaces the shorter one", () => {
  expect(merge([short], [long])).toEqual({ added: [long], known: 0 });
});

test("an answer that was cut short is the beginning of one that went on", () => {
  const cut = conversation("a1", [ask("What is clay?"), { role: "assistant", content: "Mu" }]);
  expect(merge([cut], [short]).added).toEqual([short]);
  expect(merge([short], [cut])).toEqual({ added: [], known: 1 });
});

test("two that went different ways stay both, and no third comes of it", () => {
  const { added } = merge([short], [other]);
  expect(added).toMatchObject([{ turns: other.turns }]);
  expect(added[0]?.summary.id).not.toBe("a1");
  expect(merge([short, ...added], [other])).toEqual({ added: [], known: 1 });
});
