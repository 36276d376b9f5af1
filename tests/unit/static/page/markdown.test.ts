import { expect, test } from "vitest";
import { markdown } from "../../../../static/src/page/markdown";

const html = (text: string) => markdown.parse(text, { async: false }).trim();

test.each([
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "a <b style='color:red'>b</b>",
  "<iframe src=//example.org></iframe>",
])("HTML in an answer is text: %s", (text) => {
  expect(html(text)).not.toMatch(/<(script|img|b|iframe)/);
  expect(html(text)).toContain("&lt;");
});

test("pictures become their description, and ask no server", () => {
  expect(html("![a <cat>](https://example.org/x.png)")).toBe("<p>a &lt;cat&gt;</p>");
});

test("line breaks in tables stay", () => {
  expect(html("a<br>b")).toBe("<p>a<br>b</p>");
});

test("an unfinished code block is a code block already", () => {
  expect(html("```js\nlet a")).toContain('<pre><code class="language-js">let a');
});

test.each([
  ">".repeat(5000),
  `${"* ".repeat(3000)}x`,
  `${"1. ".repeat(3000)}x`,
  `${"> - ".repeat(3000)}x`,
  "**a ".repeat(3000) + "b**".repeat(3000),
  `${"*a _b ".repeat(1500)}x${"_ *".repeat(1500)}`,
  `${"~~a *b ".repeat(3000)}x${"* ~~".repeat(3000)}`,
  `${"[*".repeat(3000)}x${"*](https://example.org)".repeat(3000)}`,
])("marks nested thousands deep are read like others: %.20s…", (text) => {
  expect(deepest(html(text))).toBeLessThanOrEqual(64); // blocks, and marks in a line of them
  expect(html(text)).toMatch(/x|b|&gt;/); // what is deeper is text
  expect(html("> - **a** *b*")).toContain("<strong>a</strong> <em>b</em>"); // nor does it last
});

/** How many of the elements that Markdown nests lie in each other. */
function deepest(written: string): number {
  let depth = 0;
  let most = 0;
  for (const [, end] of written.matchAll(/<(\/?)(?:blockquote|ul|ol|em|strong|del|a)\b/g)) {
    depth += end ? -1 : 1;
    most = Math.max(most, depth);
  }
  return most;
}

test("what people nest stays nested", () => {
  const list = Array.from({ length: 12 }, (_, level) => `${"  ".repeat(level)}- ${level}`);
  expect(html(list.join("\n")).match(/<ul>/g)).toHaveLength(12);
  expect(html(`${"> ".repeat(12)}deep`).match(/<blockquote>/g)).toHaveLength(12);
});
