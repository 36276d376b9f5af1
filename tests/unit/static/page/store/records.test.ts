import { describe, expect, test } from "vitest";
import { parseTurns, readSummary, readTurn } from "../../../../../static/src/page/store/records";

const SUMMARY = {
  id: "a1",
  title: "Clay",
  named: true,
  model: "tiny",
  serverModel: "mini",
  server: { base: "http://localhost:1/v1", model: "mini" },
  created: 1,
  updated: 2,
  system: "Be brief.",
  writer: "tab",
};
const STATS = {
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 2,
  prefillSeconds: 0.5,
  decodeSeconds: 1.5,
};

describe("a summary", () => {
  test("survives", () => expect(readSummary(SUMMARY)).toEqual(SUMMARY));

  test("that is damaged gets defaults", () => {
    const damaged = {
      id: "a1",
      title: 7,
      named: "yes",
      created: -1,
      updated: 1e300,
      model: null,
      server: { base: 3, model: "mini" },
    };
    const empty = { title: "", named: false, model: "", server: null, created: 0, updated: 0 };
    const rest = { serverModel: "", system: "", writer: "" };
    expect(readSummary(damaged)).toEqual({ id: "a1", ...empty, ...rest });
  });

  test.each([null, 3, "a1", [], {}, { id: 3 }, { id: "" }])("%j is none", (value) => {
    expect(readSummary(value)).toBe(null);
  });
});

describe("a turn", () => {
  test("survives, and what belongs to its record does not", () => {
    const turn = { role: "assistant", content: "Mud", finish: "stop", stats: STATS, dropped: true };
    expect(readTurn({ ...turn, conversation: "a1", index: 1 })).toEqual(turn);
  });

  test("keeps its words when all else is damaged", () => {
    const damaged = { role: "user", content: "", finish: "never", stats: { promptTokens: 1 } };
    expect(readTurn({ ...damaged, dropped: "yes" })).toEqual({ role: "user", content: "" });
    const wrong = { ...STATS, decodeSeconds: "long" };
    expect(readTurn({ role: "user", content: "", stats: wrong })?.stats).toBeUndefined();
  });

  test.each([null, 3, {}, { role: "tool", content: "" }, { role: "user" }])("%j is none", (value) =>
    expect(readTurn(value)).toBe(null),
  );
});

test("turns as JSON: those that make sense", () => {
  const turns = [{ role: "user", content: "1" }];
  expect(parseTurns(JSON.stringify(turns))).toEqual(turns);
  for (const text of [null, "", "{", "3", '{"a":1}']) expect(parseTurns(text)).toEqual([]);
  expect(parseTurns('[null, {"role":"tool","content":""}, {"role":"user"}]')).toEqual([]);
});
