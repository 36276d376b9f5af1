/** Which languages a visitor wishes for, best first. */

import { local } from "./storage";

const STORE = "webkiln.language";

/** The language set on this page; "" where it is the browser's. */
export function languageSet(): string {
  return local.read(STORE) ?? "";
}

export function setLanguage(code: string): void {
  local.write(STORE, code);
}

/** The setting goes before `?lang=` in the address, and that before the browser's languages. */
export function languageWishes(search = location.search): string[] {
  const asked = new URLSearchParams(search).get("lang") ?? "";
  return [languageSet(), asked, ...navigator.languages].filter((wish) => wish !== "");
}
