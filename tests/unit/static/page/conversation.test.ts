import { describe, expect, test } from "vitest";
import {
  dropOldest,
  parseTurns,
  rewindToQuestion,
  type Turn,
  toMessages,
} from "../../../../static/src/page/conversation";

const user = (content: string): Turn => ({ role: "user", content });
const assistant = (content: string): Turn => ({ role: "assistant", content, finish: "stop" });
const talk = (): Turn[] => [user("1"), assistant("a"), user("2"), assistant("b"), user("3")];

describe("what the model is sent", () => {
  test("begins with the system prompt, if there is one", () => {
    expect(toMessages("Be brief.", [user("1")])).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "1" },
    ]);
    expect(toMessages("  ", [user("1")])).toEqual([{ role: "user", content: "1" }]);
  });

  test("leaves out dropped turns and answers that never began", () => {
    const turns = [{ ...user("1"), dropped: true }, user("2"), assistant("")];
    expect(toMessages("", turns)).toEqual([{ role: "user", content: "2" }]);
  });
});

describe("dropping the oldest turns", () => {
  test("takes a question with its answer", () => {
    const turns = talk();
    expect(dropOldest(turns)).toBe(true);
    expect(toMessages("", turns).map((message) => message.content)).toEqual(["2", "b", "3"]);
  });

  test("goes on where it stopped", () => {
    const turns = talk();
    dropOldest(turns);
    expect(dropOldest(turns)).toBe(true);
    expect(toMessages("", turns).map((message) => message.content)).toEqual(["3"]);
  });

  test("never drops the last question", () => {
    const turns = [user("1"), assistant("")];
    expect(dropOldest(turns)).toBe(false);
    expect(turns[0]?.dropped).toBeUndefined();
  });
});

describe("going back to the question", () => {
  test("removes its answer", () => {
    const turns = [user("1"), assistant("a")];
    expect(rewindToQuestion(turns)).toBe(true);
    expect(turns).toEqual([user("1")]);
  });

  test("needs a question", () => {
    expect(rewindToQuestion([])).toBe(false);
  });
});

test("stored turns survive; anything else is no turn", () => {
  expect(parseTurns(JSON.stringify(talk()))).toEqual(talk());
  for (const text of [null, "", "{", "3", '{"a":1}']) expect(parseTurns(text)).toEqual([]);
  expect(parseTurns('[null, {"role":"tool","content":""}, {"role":"user"}]')).toEqual([]);
});
