/** A model's Markdown as safe DOM: text from a model is text from a stranger. */

import DOMPurify from "dompurify";
import { Marked, Tokenizer } from "marked";
import { words } from "./words";

// No images (they would ask other servers, or try to), no styles, no forms, no ids.
const ALLOWED_TAGS = [
  ..."a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strong sub sup".split(" "),
  ..."table tbody td th thead tr ul".split(" "),
];
const ALLOWED_ATTR = ["href", "title", "start", "align", "class"];

/** The only class there may be: the language of a block of code, as marked writes it. */
const LANGUAGE = /^language-[\w+#.-]{1,30}$/;

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** The one element of HTML that is heeded: tables have no other way to break a line. */
export const BREAK = /^<br\s*\/?>$/i;

/**
 * HTML in an answer is shown as the text it is; pictures become their description. Little is then
 * left for DOMPurify to do, which is how it should be.
 */
export const markdown = new Marked({
  async: false,
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => (BREAK.test(text) ? "<br>" : escapeHtml(text)),
    image: ({ text }) => escapeHtml(text),
  },
});

/** Quotes in lists in quotes: whoever nests deeper writes no text that anybody reads. */
const DEEPEST = 32;

/**
 * Marked calls itself once a level, until the stack is full; an answer that degenerates into a
 * thousand ">" has as many. Deeper than `DEEPEST`, such marks are the characters they are.
 */
class ShallowTokenizer extends Tokenizer {
  private depth = 0;

  override blockquote(...text: Parameters<Tokenizer["blockquote"]>) {
    return this.within(() => super.blockquote(...text));
  }

  override list(...text: Parameters<Tokenizer["list"]>) {
    return this.within(() => super.list(...text));
  }

  override emStrong(...text: Parameters<Tokenizer["emStrong"]>) {
    return this.within(() => super.emStrong(...text));
  }

  override del(...text: Parameters<Tokenizer["del"]>) {
    return this.within(() => super.del(...text));
  }

  override link(...text: Parameters<Tokenizer["link"]>) {
    return this.within(() => super.link(...text));
  }

  private within<Found>(read: () => Found): Found | undefined {
    if (this.depth === DEEPEST) return undefined;
    this.depth++;
    try {
      return read();
    } finally {
      this.depth--;
    }
  }
}

markdown.setOptions({ tokenizer: new ShallowTokenizer() });

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}

export function renderMarkdown(text: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(markdown.parse(text, { async: false }), {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    // Their values are no addresses, so the expression above does not apply.
    ADD_URI_SAFE_ATTR: ["align", "start"],
    RETURN_DOM_FRAGMENT: true,
  });
  for (const node of fragment.querySelectorAll("[class]")) {
    if (node.tagName !== "CODE" || !LANGUAGE.test(node.className)) node.removeAttribute("class");
  }
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const table of fragment.querySelectorAll("table")) scrollable(table);
  return fragment;
}

/** Spans with classes and nothing else: code with its parts marked. */
export function safeSpans(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: ["span"],
    ALLOWED_ATTR: ["class"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

/** Wide tables scroll by themselves; the page never does sideways. */
function scrollable(table: HTMLTableElement): void {
  const box = document.createElement("div");
  box.className = "table-box";
  box.tabIndex = 0;
  box.role = "group";
  box.ariaLabel = words.chat.table;
  table.replaceWith(box);
  box.append(table);
}
