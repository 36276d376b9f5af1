import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const FOLDER = fileURLToPath(new URL("../../../../static/src/page/", import.meta.url));
const SENTENCE = /(["`])(\p{Lu}\p{Ll}+(?:…|[ ,:][^"`]*\p{L}[^"`]*))\1/gu;
// Shown with a fault's details, which are the engine's and English.
const DETAILS = ["Reload the page and try again."];

/** Sentences in a module's code, its comments left out. */
function sentences(source: string): string[] {
  const code = source.replace(/\/\*.*?\*\/|^\s*\/\/.*$/gms, "");
  return [...code.matchAll(SENTENCE)].map(([, , text = ""]) => text);
}

const modules = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.startsWith("words"),
);

test.each(modules)("%s has no text of its own", (name) => {
  const found = sentences(readFileSync(FOLDER + name, "utf8"));
  expect(found.filter((text) => !DETAILS.includes(text))).toEqual([]);
});

test("sentences are seen where they are", () => {
  const source = '/** Not This one. */ a.textContent = "Saved here"; b(`Now 2 left`, "Wait…");';
  expect(sentences(source)).toEqual(["Saved here", "Now 2 left", "Wait…"]);
});
