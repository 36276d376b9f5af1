import { afterEach, expect, test, vi } from "vitest";
import { trustedScripts } from "../../../static/src/trusted";

interface Rules {
  createScriptURL(file: string): string;
}

/** Stands in for the browser's factory; the policies made so far. */
function factory(): string[] {
  const made: string[] = [];
  const createPolicy = (name: string, rules: Rules) => {
    made.push(name);
    return { createScriptURL: (file: string) => ({ trusted: rules.createScriptURL(file) }) };
  };
  vi.stubGlobal("trustedTypes", { createPolicy });
  return made;
}

afterEach(() => vi.unstubAllGlobals());

test("browsers without Trusted Types take the address as it is", () => {
  vi.stubGlobal("trustedTypes", undefined);
  expect(trustedScripts("kiln", (file) => `/assets/${file}`)("worker.js")).toBe(
    "/assets/worker.js",
  );
});

test("the policy is made when the first address is wanted, and once", () => {
  const made = factory();
  const address = trustedScripts("kiln", (file) => `/assets/${file}`);
  expect(made).toEqual([]);
  expect(address("worker.js")).toEqual({ trusted: "/assets/worker.js" });
  expect(address("thread.js")).toEqual({ trusted: "/assets/thread.js" });
  expect(made).toEqual(["kiln"]);
});

test("a page that does not allow the policy is heard of", () => {
  const refuse = () => {
    throw new TypeError('Policy "kiln" disallowed.');
  };
  vi.stubGlobal("trustedTypes", { createPolicy: refuse });
  const address = trustedScripts("kiln", (file) => file);
  expect(() => address("worker.js")).toThrow("disallowed");
});
