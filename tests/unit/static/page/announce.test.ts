import { describe, expect, test } from "vitest";
import { Announcer, sentenceEnd } from "../../../../static/src/page/announce";
import { loadMarkdown } from "../../../../static/src/page/answer-text";
import { ending } from "../../../../static/src/page/messages";

describe("what is announced", () => {
  test.each([
    ["One. Two", 0, 4],
    ["One. Two. Th", 4, 9],
    ["Version 1.5 is", 0, 0],
    ["A line\nand", 0, 7],
    ["nothing yet", 0, 0],
  ])("%j from %d ends at %d", (text, from, end) => expect(sentenceEnd(text, from)).toBe(end));
});

test("a fast answer is announced whole, in few pieces", () => {
  const region = {
    said: [] as string[],
    set textContent(text: string) {
      if (text !== "") this.said.push(text);
    },
  };
  let time = 0;
  const announcer = new Announcer(region, () => time);
  const sentences = Array.from({ length: 500 }, (_, index) => `This is sentence ${index}. `);
  announcer.begin();
  let text = "";
  for (const sentence of sentences) {
    time += 10;
    text += sentence;
    announcer.grow(text);
  }
  announcer.end(text, "complete");
  expect(region.said.length).toBeLessThanOrEqual(7); // in five seconds
  const heard = region.said.join(" ").replace(/\s+/g, " ");
  expect(heard.trim()).toBe(`${sentences.join("")}complete`);
});

describe("a short answer", () => {
  const region = { textContent: "" };
  const announcer = new Announcer(region, () => 0);

  test("and how it ended", () => {
    announcer.begin();
    announcer.grow("Yes. And");
    expect(region.textContent).toBe("Yes.");
    announcer.end("Yes. And", "You stopped this answer.");
    expect(region.textContent).toBe("And\nYou stopped this answer.");
  });

  test("that goes on is not said twice", () => {
    announcer.begin("Yes. And");
    announcer.end("Yes. And no.", "The answer is complete.");
    expect(region.textContent).toBe("no.\nThe answer is complete.");
  });

  test.each([
    ["stop", "The answer is complete."],
    ["length", "Cut off: the limit of tokens was reached."],
    ["abort", "You stopped this answer."],
    [undefined, "This answer was interrupted."],
  ] as const)("that ended with %s: %s", (finish, said) => {
    expect(ending({ role: "assistant", content: "Mud", ...(finish && { finish }) })).toBe(said);
  });

  test("that never came is not told of: the notice is", () => {
    expect(ending({ role: "assistant", content: "" })).toBe("");
  });
});

test("marks are not said, be the answer heard in pieces or at once", async () => {
  await loadMarkdown();
  const region = { textContent: "" };
  let time = 0;
  const announcer = new Announcer(region, () => time);
  const text =
    "# Clay\n\nIt is **wet. Very** wet. [See](https://example.org).\n\n```js\nlet a;\nlet b;\n```\n";
  const said: string[] = [];
  announcer.begin();
  for (let length = 0; length <= text.length; length++) {
    time += 1000;
    region.textContent = "";
    announcer.grow(text.slice(0, length));
    said.push(region.textContent.trim());
  }
  announcer.end(text, "Done.");
  said.push(region.textContent);
  expect(said.filter((each) => each !== "")).toEqual([
    "Clay\nIt is wet. Very wet.",
    "See.",
    "Code, 2 lines.\nDone.",
  ]);
});
