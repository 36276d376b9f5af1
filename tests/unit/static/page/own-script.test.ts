import { expect, test, vi } from "vitest";
import { ownScript } from "../../../../static/src/page/own-script";

vi.stubGlobal("document", { baseURI: "https://kiln.example/below/index.html" });

test.each(["sw.js", "sw.js?v=1", "sw.js?policy=abc-1.2&x=_"])("%s is the site's own", (file) => {
  expect(ownScript(file)).toBe(`https://kiln.example/below/${file}`);
});

test.each([
  "",
  "page.js",
  "/sw.js",
  "../sw.js",
  "sw.js#x",
  "sw.js?a=%2e",
  "https://evil.example/sw.js",
  "//evil.example/sw.js",
  "data:text/javascript,sw.js",
  "sw.js\nhttps://evil.example/",
])("%j is refused", (file) => {
  expect(() => ownScript(file)).toThrow("is not the site's service worker");
});
