/** The page's language: which one, and its words. */

import { en, type Words } from "./words/en";
import type { PanelWords } from "./words/en-panels";

interface Language {
  /** As its speakers call it. */
  name: string;
  direction: "ltr" | "rtl";
  /** English is part of the page; the others arrive when they are wanted. */
  words(): Promise<Words>;
  /** Of panels that arrive when they are asked for. */
  panels(): Promise<PanelWords>;
}

const ENGLISH: Language = {
  name: "English",
  direction: "ltr",
  words: async () => en,
  panels: async () => (await import("./words/en-panels")).panels,
};

/** A new language is a file beside words/en.ts and a row here. */
const LANGUAGES: Record<string, Language> = {
  en: ENGLISH,
  fr: {
    name: "Français",
    direction: "ltr",
    words: async () => (await import("./words/fr")).words,
    panels: async () => (await import("./words/fr")).panels,
  },
  it: {
    name: "Italiano",
    direction: "ltr",
    words: async () => (await import("./words/it")).words,
    panels: async () => (await import("./words/it")).panels,
  },
};

export const languages = Object.entries(LANGUAGES).map(([code, { name }]) => ({ code, name }));

/** The texts in the page's language. Not for constants of modules: those are made before. */
export let words: Words = en;

let spoken = "en";

/** The texts of panels in the page's language; see panel-words.ts. */
export async function panelWords(): Promise<PanelWords> {
  return (LANGUAGES[spoken] ?? ENGLISH).panels();
}

/** The first of these wishes ("fr-CH") that there is a language for. */
export function choose(wishes: readonly string[]): string {
  const bare = wishes.map((wish) => wish.toLowerCase().split("-")[0] ?? "");
  return bare.find((code) => Object.hasOwn(LANGUAGES, code)) ?? "en";
}

/** Puts the page into the language wished for; into English where its words cannot be had. */
export async function speak(wishes: readonly string[]): Promise<void> {
  const code = choose(wishes);
  const language = LANGUAGES[code];
  try {
    if (language) words = await language.words();
    spoken = code;
    document.documentElement.lang = code;
    document.documentElement.dir = language?.direction ?? "ltr";
  } catch {
    // The connection broke off: English is at hand.
  }
}
