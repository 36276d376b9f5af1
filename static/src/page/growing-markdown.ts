/** An answer's Markdown while it arrives: finished blocks stay, only the last one is drawn anew. */

import type { Token } from "marked";
import { cut } from "./blocks";
import { codeBox, highlightCode } from "./code-block";
import { renderMarkdown } from "./markdown";

export { Speech } from "./speech";

/** Links named in one place and told in another: they reach across blocks. */
const REFERENCE = /^ {0,3}\[[^\]]+\]:/m;

export class GrowingMarkdown {
  /** How much of the text is drawn for good. */
  private finished = 0;
  /** Nodes of the block that still grows. */
  private open: ChildNode[] = [];
  /** The text is more than the parser can do, and stands as it is. */
  private plain = false;

  constructor(private readonly box: HTMLElement) {}

  /** `text` continues what was shown before. */
  grow(text: string): void {
    this.draw(text, () => {
      const rest = text.slice(this.finished);
      const { length, last } = cut(rest);
      if (length > 0) this.finish(rest.slice(0, length));
      if (!this.growCode(last)) this.redraw(rest.slice(length));
    });
  }

  /** `text` is whole: what is left of it is drawn for good. */
  end(text: string): void {
    this.draw(text, () => {
      const anew = this.finished === 0 || REFERENCE.test(text);
      if (anew) {
        this.finished = 0;
        this.open = [];
        this.box.replaceChildren();
      }
      this.finish(text.slice(this.finished));
    });
  }

  /** Whatever a model writes is shown: a text that cannot be drawn must not take the page along. */
  private draw(text: string, drawing: () => void): void {
    if (!this.plain) {
      try {
        drawing();
        return;
      } catch {
        this.plain = true;
      }
    }
    this.box.textContent = text;
  }

  private finish(text: string): void {
    this.redraw(text);
    for (const node of this.open) {
      if (node instanceof HTMLElement) highlightCode(node);
    }
    this.finished += text.length;
    this.open = [];
  }

  private redraw(text: string): void {
    const fragment = renderMarkdown(text);
    for (const code of fragment.querySelectorAll("pre")) codeBox(code);
    for (const node of this.open) node.remove();
    this.open = [...fragment.childNodes];
    this.box.append(fragment);
  }

  /** A long block of code that grows is one text: nothing needs to be drawn anew. */
  private growCode(last: Token | undefined): boolean {
    const [node, ...others] = this.open.filter((each) => each instanceof HTMLElement);
    if (last?.type !== "code" || !node?.matches(".code-box") || others.length > 0) return false;
    const text = node.querySelector("code")?.firstChild;
    if (!(text instanceof Text) || !last.text.startsWith(text.data.slice(0, -1))) return false;
    text.data = `${last.text}\n`;
    return true;
  }
}
