import { describe, expect, test } from "vitest";
import { isolates, parseHeaders, passedOn } from "../../../../static/src/sw/headers";

const OPENER = "cross-origin-opener-policy";
const EMBEDDER = "cross-origin-embedder-policy";
const RESOURCE = "cross-origin-resource-policy";

function passed(headers: Record<string, string>, listed: Record<string, string> = {}) {
  return Object.fromEntries(passedOn(new Headers(headers), listed));
}

describe("headers that are passed on", () => {
  test("get what isolates a page", () => {
    expect(passed({ "Content-Type": "text/html" })).toEqual({
      "content-type": "text/html",
      [OPENER]: "same-origin",
      [EMBEDDER]: "require-corp",
      [RESOURCE]: "same-origin",
    });
  });

  test("stay as they are where the host isolates", () => {
    const own = { [OPENER]: "same-origin", [EMBEDDER]: "credentialless" };
    expect(passed(own)).toEqual(own);
  });

  test("keep what the host says: its policy, and what it says of isolation", () => {
    const policy = "default-src 'none'; script-src 'self'";
    const all = passed({ "Content-Security-Policy": policy, [OPENER]: "unsafe-none" });
    expect(all["content-security-policy"]).toBe(policy);
    expect(all[OPENER]).toBe("unsafe-none");
    expect(all[EMBEDDER]).toBe("require-corp");
  });

  test("get what the site wants and the host does not send", () => {
    const listed = {
      "Content-Security-Policy": "default-src 'none'",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Resource-Policy": "cross-origin",
    };
    expect(passed({ "Referrer-Policy": "origin" }, listed)).toEqual({
      "content-security-policy": "default-src 'none'",
      "referrer-policy": "origin",
      [OPENER]: "same-origin",
      [EMBEDDER]: "require-corp",
      [RESOURCE]: "cross-origin",
    });
  });

  test("leave a host's own policy alone, and a host that isolates", () => {
    const listed = { "Content-Security-Policy": "default-src 'none'" };
    const own = { "Content-Security-Policy": "default-src 'self'" };
    expect(passed(own, listed)["content-security-policy"]).toBe("default-src 'self'");
    const isolating = { [OPENER]: "same-origin", [EMBEDDER]: "require-corp" };
    expect(passed(isolating, listed)).toEqual(isolating);
  });

  test("say nothing of the way over the network", () => {
    const transfer = { "Content-Encoding": "gzip", "Content-Length": "3", Vary: "*" };
    expect(Object.keys(passed(transfer)).sort()).toEqual([EMBEDDER, OPENER, RESOURCE].sort());
  });
});

test.each(["", "[1]", '{"a header": "x"}', '{"X": "a\\nb"}', "<!doctype html>"])(
  "%s lists no headers",
  (text) => expect(() => parseHeaders(text)).toThrow(),
);

describe("a page", () => {
  test.each([
    ["same-origin", "require-corp", true],
    ["same-origin", "credentialless", true],
    ['same-origin; report-to="x"', 'require-corp; report-to="x"', true],
    ["same-origin-allow-popups", "require-corp", false],
    ["same-origin", "unsafe-none", false],
  ])("with %s and %s is isolated: %s", (opener, embedder, expected) => {
    expect(isolates(new Headers({ [OPENER]: opener, [EMBEDDER]: embedder }))).toBe(expected);
  });

  test("without headers is not isolated", () => expect(isolates(new Headers())).toBe(false));
});
