/**
 * An answer's text. Markdown, which is a quarter of the page's scripts, is fetched once the model
 * is there: words wait for nothing, and stand plain until it has come.
 */

import type { GrowingMarkdown } from "./growing-markdown";

type Module = typeof import("./growing-markdown");

let loaded: Module | null = null;
let loading: Promise<void> | null = null;

/** Resolves either way; where it could not be fetched, the next answer tries again. */
export function loadMarkdown(): Promise<void> {
  loading ??= import("./growing-markdown")
    .then((module) => {
      loaded = module;
    })
    .catch(() => {})
    .finally(() => {
      loading = null;
    });
  return loading;
}

/** For the next answer; null as long as Markdown is not there. */
export function newSpeech() {
  return loaded && new loaded.Speech();
}

export class AnswerText {
  private markdown: GrowingMarkdown | null = null;
  /** What is shown, or will be. */
  private text = "";
  private waits = false;

  constructor(private readonly box: HTMLElement) {}

  /** `text` continues what was shown before. */
  grow(text: string): void {
    this.text = text;
    if (this.ready()) this.markdown?.grow(text);
    else this.growPlain();
  }

  /** `text` is whole; calls `drawn` once it is drawn for good. */
  end(text: string, drawn: () => void): void {
    this.text = text;
    const draw = (): void => {
      if (text !== this.text) return; // it went on
      if (this.ready()) this.markdown?.end(text);
      drawn();
    };
    if (text === "" || this.ready()) {
      draw();
      return;
    }
    this.box.textContent = text;
    void loadMarkdown().then(draw);
  }

  private ready(): boolean {
    if (this.markdown || !loaded) return this.markdown !== null;
    this.box.replaceChildren();
    this.markdown = new loaded.GrowingMarkdown(this.box);
    return true;
  }

  private growPlain(): void {
    this.box.textContent = this.text;
    if (this.waits) return;
    this.waits = true;
    void loadMarkdown().then(() => {
      this.waits = false;
      if (this.ready()) this.markdown?.grow(this.text);
    });
  }
}
