/** Colours for code. A chunk of its own, fetched with the first block of code. */

import highlighter from "highlight.js/lib/common";
import { safeSpans } from "./markdown";

/** The code with its parts marked; null for languages nothing is known of. */
export function highlight(code: string, language: string): DocumentFragment | null {
  if (!highlighter.getLanguage(language)) return null;
  return safeSpans(highlighter.highlight(code, { language, ignoreIllegals: true }).value);
}
