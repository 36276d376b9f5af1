/** An answer as it is read out: without its marks, and with code counted instead of spelt. */

import type { MarkedToken, Token, Tokens } from "marked";
import { cut } from "./blocks";
import { BREAK, markdown } from "./markdown";
import { words } from "./words";

/** Marks that may still be half of a pair: what follows one is not sure yet. */
const OPEN = /!?\[|!$|[*_~`<|]/;

/** Follows one answer. What it says only ever gets longer. */
export class Speech {
  /** How much of the answer's text is in `said`. */
  private finished = 0;
  private said = "";

  /** What can be said of the answer so far, `text`. */
  grow(text: string): string {
    const rest = text.slice(this.finished);
    try {
      const { length, last } = cut(rest);
      this.take(rest.slice(0, length));
      return this.said + (last ? sure(last) : "");
    } catch {
      return this.said; // more than the parser can do; the end says it
    }
  }

  /** `text` is whole. */
  end(text: string): string {
    const rest = text.slice(this.finished);
    try {
      this.take(rest);
      return this.said;
    } catch {
      return this.said + rest;
    }
  }

  private take(blocks: string): void {
    if (blocks !== "") this.said += say(markdown.lexer(blocks));
    this.finished += blocks.length;
  }
}

/** Of a block that still grows: what nothing to come can change. */
function sure(token: Token): string {
  if (token.type === "list") {
    const list = token as Tokens.List;
    return say([{ ...list, items: list.items.slice(0, -1) }]);
  }
  if (token.type !== "paragraph" && token.type !== "heading") return "";
  const text = inline(token.tokens);
  const open = text.search(OPEN);
  return open < 0 ? text : text.slice(0, open);
}

/** Blocks, each with a line of its own. */
function say(tokens: Token[]): string {
  return (tokens as MarkedToken[]).map(block).join("");
}

function block(token: MarkedToken): string {
  switch (token.type) {
    case "space":
    case "hr":
    case "def":
      return "";
    case "code":
      return `${words.chat.code(token.text.split("\n").length)}\n`;
    case "blockquote":
      return say(token.tokens);
    case "list":
      return token.items
        .map(({ tokens }, index) => number(token, index) + (say(tokens) || "\n"))
        .join("");
    case "table":
      return [token.header, ...token.rows].map(row).join("");
    case "heading":
    case "paragraph":
      return `${inline(token.tokens)}\n`;
    default:
      return `${inline([token])}\n`;
  }
}

function number({ ordered, start }: Tokens.List, index: number): string {
  return ordered ? `${Number(start) + index}. ` : "";
}

function row(cells: Tokens.TableCell[]): string {
  return `${cells.map(({ tokens }) => inline(tokens)).join(", ")}\n`;
}

/** The text within a block; links and pictures are what they are called. */
function inline(tokens: Token[] = []): string {
  return (tokens as MarkedToken[])
    .map((token) => {
      if (token.type === "br" || BREAK.test(token.raw)) return "\n";
      if ("tokens" in token && token.tokens) return inline(token.tokens);
      return "text" in token ? token.text : token.raw;
    })
    .join("");
}
