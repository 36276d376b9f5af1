import { describe, expect, test, vi } from "vitest";
import { markdown } from "../../../../static/src/page/markdown";
import { Speech } from "../../../../static/src/page/speech";

const TEXTS: [name: string, text: string, said: string][] = [
  ["emphasis", "It is **wet** and _very_ ~~dry~~ `soft`.", "It is wet and very dry soft.\n"],
  ["headings", "# Clay\n## Kinds of it\nRed.", "Clay\nKinds of it\nRed.\n"],
  ["links", "See [the kiln](https://example.org/a?b=c).", "See the kiln.\n"],
  ["pictures", "![a cat](https://example.org/cat.png)", "a cat\n"],
  ["lists", "- wet\n- **dry**\n  - soft\n", "wet\ndry\nsoft\n"],
  ["numbers", "3. wet\n4. dry\n\n   soft\n", "3. wet\n4. dry\nsoft\n"],
  ["tables", "| a | **b** |\n|---|:-:|\n| 1 | `2` |\n| 3 | 4 |\n", "a, b\n1, 2\n3, 4\n"],
  ["quotes", "> Mud\n> is **mud**.\n", "Mud\nis mud.\n"],
  ["code", "So:\n\n```js\nlet a;\n\nlet b;\n```\n\nAnd on.", "So:\nCode, 3 lines.\nAnd on.\n"],
  ["one line of code", "    let a;\n\nOn.", "Code, 1 line.\nOn.\n"],
  ["HTML", "a<br>b <b>c</b>\n\n---\n\n<div>d</div>", "a\nb <b>c</b>\n<div>d</div>\n"],
];

describe.each(TEXTS)("%s", (_, text, said) => {
  test("are said as they are shown", () => expect(new Speech().end(text)).toBe(said));

  test.each([1, 2, 5])("or a beginning of that, in pieces of %d", (size) => {
    const speech = new Speech();
    let before = "";
    for (let end = 0; end < text.length; end += size) {
      const now = speech.grow(text.slice(0, end));
      if (now.length > before.length) before = now;
      expect(said.startsWith(before.trimEnd())).toBe(true);
    }
    expect(speech.end(text)).toBe(said);
  });
});

test("sentences of a paragraph and points of a list are said before it is over", () => {
  expect(new Speech().grow("One. Two. Thr")).toBe("One. Two. Thr");
  expect(new Speech().grow("One. **Two. Thr")).toBe("One. ");
  expect(new Speech().grow("- one\n- two\n- thr\nee")).toBe("one\ntwo\n");
});

test("what the parser cannot take is said as it is", () => {
  vi.spyOn(markdown, "lexer").mockImplementation(() => {
    throw new RangeError("Maximum call stack size exceeded");
  });
  const speech = new Speech();
  expect(speech.grow("> a")).toBe("");
  expect(speech.end("> a")).toBe("> a");
  vi.restoreAllMocks();
});
