import { describe, expect, test } from "vitest";
import { addressOf, fileFor, keptFiles, parseList } from "../../../../static/src/sw/files";

const SCOPE = "https://example.org/sub/path/";
const ENTRY = { bytes: 1, sha256: "0" };

function asked(url: string, mode: RequestMode = "cors", headers: Record<string, string> = {}) {
  return fileFor({ url: new URL(url, SCOPE).href, mode, headers: new Headers(headers) }, SCOPE);
}

describe("requests", () => {
  test("for the page are answered, whatever its parameters", () => {
    expect(asked("./", "navigate")).toBe("index.html");
    expect(asked("./?backend=wasm#here", "navigate")).toBe("index.html");
    expect(asked("index.html", "navigate")).toBe("index.html");
  });

  test.each([
    "assets/0123/page.js",
    "icons/icon.svg",
    "engine.js",
    "manifest.webmanifest",
    "models.json",
  ])("for %s are answered", (path) => expect(asked(path)).toBe(path));

  test.each([
    "./",
    "index.html",
    "app.json",
    "sw.js",
    "healthz",
    "other/engine.js",
    "models/tiny/manifest.json",
    "models/tiny/weights/0123.bin",
    "engine.js?x",
    "../engine.js",
    "/assets/0123/page.js",
    "https://example.com/sub/path/engine.js",
    "http://example.org/sub/path/engine.js",
    "blob:https://example.org/0123",
  ])("for %s are left alone", (url) => expect(asked(url)).toBeNull());

  test("for other pages below the scope are left alone", () => {
    expect(asked("example.html", "navigate")).toBeNull();
    expect(asked("models/tiny/manifest.json", "navigate")).toBeNull();
  });

  test("for a part of a file are left alone", () => {
    expect(asked("engine.js", "cors", { Range: "bytes=0-9" })).toBeNull();
  });
});

describe("a list", () => {
  const files = {
    "index.html": ENTRY,
    "engine.js": ENTRY,
    "assets/0123/page.js": ENTRY,
    "icons/icon.svg": ENTRY,
    "sw.js": ENTRY,
    "sw-remove.js": ENTRY,
    "models/tiny/manifest.json": ENTRY,
  };

  test("is kept but for service workers and bundles", () => {
    const list = parseList(JSON.stringify({ version: "0123", files }));
    expect(keptFiles(list).map(([path]) => path)).toEqual([
      "index.html",
      "engine.js",
      "assets/0123/page.js",
      "icons/icon.svg",
    ]);
  });

  test.each([
    "<!doctype html>",
    "null",
    "{}",
    JSON.stringify({ version: "0123" }),
    JSON.stringify({ version: "0123", files: { "engine.js": ENTRY } }),
  ])("is refused when it is %s", (text) => expect(() => parseList(text)).toThrow());

  test("names the page by its file; it is fetched by the folder's address", () => {
    expect(addressOf("index.html", SCOPE)).toBe("https://example.org/sub/path/");
    expect(addressOf("engine.js", SCOPE)).toBe("https://example.org/sub/path/engine.js");
  });
});
