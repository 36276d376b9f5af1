import { expect, test } from "vitest";
import type { About, FitCause } from "../../../../static/src/engine/assessment";
import {
  followable,
  licence,
  quantization,
  reasons,
} from "../../../../static/src/page/library/said";

type Card = About["card"];

function card(changes: Partial<Card> = {}): Card {
  const license = { id: "", name: "", link: "", terms: "" };
  const none = { languages: [], datasets: [], base_models: [], authors: [], tags: [], links: [] };
  return { license, ...none, stored: [], ...changes };
}

test.each<[FitCause, RegExp]>([
  [{ code: "memory-unknown", needed: 5e9 }, /^It takes 5\.0 GB of memory, and browsers do not say/],
  [{ code: "ran-out", context: 4096 }, /at a context of 4,096 tokens\.$/],
  [{ code: "ran-out", context: 0 }, /ran out of memory here\.$/],
  [{ code: "disk", missing: 2e9, free: 1e9 }, /2\.0 GB are missing .* room for 1\.0 GB/],
  [{ code: "slow", tokensPerSecond: 1 }, /more slowly than people read/],
  [{ code: "unread", error: "network" }, /could not be read \(A download failed\)\.$/],
  [
    { code: "card-too-small", limit: "maxBufferSize", needed: 2000, offered: 1000 },
    /^It needs maxBufferSize of 2,000, and the graphics card offers 1,000\.$/,
  ],
  [{ code: "card-too-small", limit: "maxNew", needed: 1 }, /does not know the limit maxNew/],
  [{ code: "crashed" }, /ended in a crash\.$/],
])("%o in words", (cause, text) => {
  expect(reasons({ causes: [cause] })).toEqual([expect.stringMatching(text)]);
});

test("a reason is said once, and one that changes nothing is not", () => {
  const slow: FitCause = { code: "slow", tokensPerSecond: 1 };
  expect(reasons({ causes: [slow, slow, { code: "emulated-passed-over" }] })).toHaveLength(1);
});

test("codings by share, with what the checkpoint had", () => {
  const codings: About["codings"] = [
    { share: 0.6, bits: 4, group: 32, minimum: true },
    { share: 0.1, bits: 4, group: 64, minimum: false },
    { share: 0.295, bits: 8, group: 32, minimum: false },
    { share: 0.005, bits: 32, group: 0, minimum: false },
  ];
  const stored = ["Q4_1", "Q8_0", "F32", "F16"];
  expect(quantization({ codings, card: card({ stored }) })).toBe(
    "4-bit codes (70%) · 8-bit codes (30%) · in the checkpoint Q4_1, Q8_0, F32",
  );
});

test("a licence goes by its id, unless that is none", () => {
  const named = (id: string, name: string) =>
    licence(card({ license: { id, name, link: "", terms: "" } }));
  expect(named("mit", "MIT License")).toBe("mit");
  expect(named("other", "llama3.2")).toBe("llama3.2");
  expect([named("other", ""), named("", "")]).toEqual(["other", ""]);
});

test("only addresses of the web are links", () => {
  expect(followable("https://example.org/a")).toBe("https://example.org/a");
  for (const text of ["javascript:alert(1)", "data:text/html,x", "LICENSE", "", "//example.org"]) {
    expect(followable(text)).toBeNull();
  }
});
