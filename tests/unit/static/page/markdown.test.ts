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
