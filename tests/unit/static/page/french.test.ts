import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { transformSync } from "../../../../static/node_modules/esbuild/lib/main";

const FILE = fileURLToPath(new URL("../../../../static/src/page/words/fr.ts", import.meta.url));

/** Every string of a module; templates are sums of strings then. */
function strings(source: string): string[] {
  const supported = { "template-literal": false };
  const { code } = transformSync(source, { loader: "ts", charset: "utf8", supported });
  return [...code.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([text]) => text.slice(1, -1));
}

const breaking = (texts: string[]) => texts.filter((text) => / [;:?!%»]|« /.test(text));

test("spaces before ; : ? ! % and inside « » do not break", () => {
  const texts = strings(readFileSync(FILE, "utf8"));
  expect(texts.length).toBeGreaterThan(400);
  expect(breaking(texts)).toEqual([]);
});

test("those that do are seen", () => {
  const hole = "$".concat("{x}");
  const source = `export const f = (x) => x ? \`« ${hole} : a ?\` : "rien ;"; // b ;`;
  expect(breaking(strings(source))).toEqual(["« ", " : a ?", "rien ;"]);
});
