// Prints the pieces of text in one language's words, functions' included, as JSON:
// `node tests/support/words.mjs en`.
import { fileURLToPath } from "node:url";
import * as esbuild from "../../static/node_modules/esbuild/lib/main.js";

const [language] = process.argv.slice(2);
const source = fileURLToPath(
  new URL(`../../static/src/page/words/${language}.ts`, import.meta.url),
);
const { outputFiles } = await esbuild.build({
  entryPoints: [source],
  bundle: true,
  write: false,
  format: "esm",
  charset: "utf8",
});
const [{ text }] = outputFiles;
const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);

/** Strings of an object; of a function the literals in its source. */
function* pieces(value) {
  if (typeof value === "string") yield value;
  else if (typeof value === "function") yield* literals(value.toString());
  else for (const each of Object.values(value)) yield* pieces(each);
}

function* literals(source) {
  for (const [, plain, template] of source.matchAll(/"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)) {
    if (plain !== undefined) yield plain;
    else yield* template.split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/);
  }
}

const { figures, ...words } = module.words ?? module.en;
const found = [...pieces(words)].map((piece) => piece.trim()).filter((piece) => /\p{L}/u.test(piece));
console.log(JSON.stringify([...new Set(found)]));
