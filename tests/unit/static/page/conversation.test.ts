import { describe, expect, test } from "vitest";
import {
  dropOldest,
  follow,
  type Turn,
  toMessages,
  upToQuestion,
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

test("the last question, and what comes before it", () => {
  expect(upToQuestion([user("1"), assistant("a"), assistant("b")])).toBe(1);
  expect(upToQuestion(talk())).toBe(5);
  expect(upToQuestion([])).toBe(0);
});

describe("following another tab", () => {
  test("a longer last answer is the same turn, grown", () => {
    const turns = [user("1"), { role: "assistant", content: "a" } as Turn];
    const last = turns[1];
    expect(follow(turns, [user("1"), assistant("ab")])).toBe(last);
    expect(last).toEqual(assistant("ab"));
  });

  test("marks come and go with the other's", () => {
    const turns = [user("1"), { ...assistant("a"), dropped: true }];
    follow(turns, [user("1"), { role: "assistant", content: "a" }]);
    expect(turns[1]).toEqual({ role: "assistant", content: "a" });
  });

  test("anything else is shown anew", () => {
    for (const latest of [talk(), [], [user("2"), assistant("a")]]) {
      const turns = [user("1"), assistant("a")];
      expect(follow(turns, latest)).toBe(null);
      expect(turns).toEqual(latest);
    }
  });
});
