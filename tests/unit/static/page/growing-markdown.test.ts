import { afterEach, describe, expect, test, vi } from "vitest";
import { cut } from "../../../../static/src/page/blocks";
import { GrowingMarkdown } from "../../../../static/src/page/growing-markdown";
import { markdown } from "../../../../static/src/page/markdown";

const TEXTS = {
  paragraphs: "One.\n\nTwo\nlines.\n\n\nThree.",
  headings: "# A\ntext\n## B\n\nSetext\n---\n\nmore\n***\nend",
  "tight list": "- a\n- b\n  - c\n    d\n- e\n\nafter",
  "loose list": "1. a\n\n2. b\n\n   more of b\n\n3. c\n\nafter\n\n- x\n\n- y",
  "list, then code": "- a\n\n      code\n\ntext\n\n    code\n\n    code\n\nend",
  fence: "Before\n```js\nlet a;\n\nlet b;\n```\nafter\n\n~~~\nopen\n\nstill",
  "fence in a list": "- a\n\n  ```py\n  x = 1\n\n  y = 2\n  ```\n\n- b",
  table: "| a | b |\n|---|:-:|\n| 1 | `|` |\n| 3 | 4 |\n\nafter",
  quote: "> a\nlazy\n\n> b\n>\n> - c\n\nafter",
  html: "<div>\n<b>x</b>\n\ntext\n</div>\n\n<!-- c -->\n\nend",
  inline: "**bold\n\nnot** _a_ `c` [l](https://example.org) <https://example.org> \\* a*b",
  numbers: "1. a\n1986. b\n\n1986 was a year\n\n1\n\n1.\n\n1. c",
};

/** What grows out of `text` in pieces of `size`, as HTML. */
function grown(text: string, size: number): string {
  let finished = 0;
  let html = "";
  for (let end = size; end < text.length; end += size) {
    const rest = text.slice(finished, end);
    const { length } = cut(rest);
    html += markdown.parse(rest.slice(0, length), { async: false });
    finished += length;
  }
  return html + markdown.parse(text.slice(finished), { async: false });
}

describe.each(Object.entries(TEXTS))("%s", (_, text) => {
  test.each([1, 2, 3, 7, 20])(
    "looks the same, whether it came whole or in pieces of %d",
    (size) => {
      expect(grown(text, size)).toBe(markdown.parse(text, { async: false }));
    },
  );
});

test("a long text is cut into its blocks: little is drawn anew", () => {
  const text = "A sentence of some length, to be drawn once.\n\n".repeat(500);
  const { length, last } = cut(text);
  expect(text.length - length).toBeLessThan(100);
  expect(last?.type).toBe("paragraph");
});

test("the block that grows is told", () => {
  expect(cut("text\n\n```js\nlet a").last).toMatchObject({ type: "code", text: "let a" });
  expect(cut("text\n\n```js").last).toBeUndefined();
  expect(cut("").last).toBeUndefined();
});

describe("a text that the parser cannot take", () => {
  afterEach(() => void vi.restoreAllMocks());

  const full = () => {
    throw new RangeError("Maximum call stack size exceeded");
  };

  test("is shown as it is, while it grows and when it is whole", () => {
    vi.spyOn(markdown, "lexer").mockImplementation(full);
    vi.spyOn(markdown, "parse").mockImplementation(full);
    const box = { textContent: "", replaceChildren: vi.fn() };
    const view = new GrowingMarkdown(box as unknown as HTMLElement);
    view.grow("> a");
    expect(box.textContent).toBe("> a");
    vi.restoreAllMocks();
    view.grow("> a b"); // once plain, always plain: nothing is drawn twice
    expect(box.textContent).toBe("> a b");
    view.end("> a b c");
    expect(box.textContent).toBe("> a b c");
  });

  test("is shown as it is, where only its end is drawn", () => {
    vi.spyOn(markdown, "parse").mockImplementation(full);
    const box = { textContent: "", replaceChildren: vi.fn() };
    new GrowingMarkdown(box as unknown as HTMLElement).end("> a");
    expect(box.textContent).toBe("> a");
  });
});
