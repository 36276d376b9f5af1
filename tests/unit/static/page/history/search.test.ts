import { describe, expect, test } from "vitest";
import { fold, Index } from "../../../../../static/src/page/history/search";
import { ask, conversation, say } from "./samples";

const index = new Index();
index.set(conversation("a", [ask("What is clay?"), say("Mud, with a *kiln* fired.")], "Potters"));
index.set(conversation("b", [ask("Où est l'ÉTÉ?"), say("İstanbul.")], "Seasons"));
const found = (query: string) => [...index.find(query).keys()];

describe("finds", () => {
  test.each([
    ["a word of an answer", "kiln", ["a"]],
    ["a part of a word", "otte", ["a"]],
    ["every word, wherever it is", "potters MUD", ["a"]],
    ["accents and cases aside", "ete ou", ["b"]],
    ["accents that are typed by themselves", "e\u0301te\u0301", ["b"]],
    ["capitals beside one that grows", "ISTANBUL".slice(1), ["b"]],
    ["nothing of another conversation", "clay seasons", []],
    ["nothing for nothing", "  ", []],
  ])("%s", (_, query, ids) => expect(found(query)).toEqual(ids));
});

test("shows the words around the first match", () => {
  expect(index.find("kiln").get("a")).toEqual({
    before: "What is clay? Mud, with a *",
    match: "kiln",
    after: "* fired.",
  });
  expect(index.find("potters").get("a")).toBe(null); // in the title, which is shown anyway
});

test("long texts are cut around the match", () => {
  const long = new Index();
  long.set(conversation("a", [ask(`${"before ".repeat(50)}here ${"after ".repeat(50)}`)]));
  const snippet = long.find("here").get("a");
  expect(snippet?.before).toMatch(/^….{1,40}$/);
  expect(snippet?.after).toMatch(/^.{1,80}…$/);
});

test("what is deleted is not found, and what is changed as it is now", () => {
  const changing = new Index();
  changing.set(conversation("a", [ask("clay")]));
  changing.set(conversation("a", [ask("kiln")]));
  expect(changing.find("clay").size).toBe(0);
  expect(changing.find("kiln").size).toBe(1);
  changing.remove("a");
  expect(changing.find("kiln").size).toBe(0);
});

test.each(["İI", "ÀÉîœæß", "Ǻ", "🏺", "ﬁ"])("folding %s keeps every place", (text) =>
  expect(fold(text).length).toBe(text.length),
);
