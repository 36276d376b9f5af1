import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { text } from "../../../../static/src/page/template-words";

const FOLDER = fileURLToPath(new URL("../../../../web/templates/", import.meta.url));
const NAMES = ["Webkiln"]; // the same in every language
const SPOKEN = ["aria-label", "title", "placeholder", "alt"];

/** Tags with the text that follows each; what a browser does not show is left out. */
function pieces(html: string): { attributes: Map<string, string>; text: string }[] {
  const shown = html
    .replace(/\{[%{#].*?[%}#]\}/gs, "")
    .replace(/<(title|noscript|script|style)\b.*?<\/\1>/gs, "");
  return [...shown.matchAll(/<([a-z/!][^>]*)>([^<]*)/gi)].map(([, tag = "", text = ""]) => ({
    attributes: new Map(
      [...tag.matchAll(/([a-z-]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
    ),
    text: text.trim(),
  }));
}

describe.each(readdirSync(FOLDER))("%s", (file) => {
  const found = pieces(readFileSync(FOLDER + file, "utf8"));

  test("has a key for every text, and the English text of every key", () => {
    for (const { attributes, text: shown } of found) {
      if (!/\p{L}/u.test(shown) || NAMES.includes(shown)) continue;
      expect([attributes.get("data-words"), shown]).toEqual([expect.any(String), shown]);
      expect(shown).toBe(text(attributes.get("data-words") ?? null));
    }
  });

  test("has a key for every attribute that is read or heard", () => {
    for (const { attributes } of found) {
      for (const name of SPOKEN) {
        const value = attributes.get(name);
        if (value === undefined) continue;
        expect(value).toBe(text(attributes.get(`data-words-${name}`) ?? `none for ${value}`));
      }
    }
  });

  test("has no key that nothing stands behind", () => {
    for (const { attributes } of found) {
      for (const [name, key] of attributes) {
        if (name.startsWith("data-words")) expect(text(key)).not.toBe("");
      }
    }
  });
});
