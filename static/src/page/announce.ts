/** What a screen reader hears of an answer while it arrives: whole sentences, now and then. */

import { newSpeech } from "./answer-text";

/** Where the last complete sentence or line after `from` ends; `from` if there is none. */
export function sentenceEnd(text: string, from: number): number {
  const ends = [...text.slice(from).matchAll(/[.!?…:](?=\s)|\n|[。！？]/g)];
  const last = ends.at(-1);
  return last === undefined ? from : from + last.index + last[0].length;
}

const PAUSE_MS = 1000;

/** What can be said of an answer, which only ever gets longer. */
interface Said {
  grow(text: string): string;
  end(text: string): string;
}

/** As long as Markdown is not there, answers stand on the page as they are, too. */
const plain: Said = { grow: (text) => text, end: (text) => text };

/**
 * Fills a live region with what is new, at most once a second: a reader that is handed every
 * sentence of a fast model drops some of them, or falls behind by minutes.
 */
export class Announcer {
  private said = plain;
  private spoken = 0;
  private last = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly region: { textContent: string | null },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** An answer begins, or goes on after `before`. */
  begin(before = ""): void {
    this.said = newSpeech() ?? plain;
    this.spoken = this.said.grow(before).length;
    this.region.textContent = "";
  }

  /** `text` is the answer so far. */
  grow(text: string): void {
    const time = this.now();
    if (time - this.last < PAUSE_MS) return;
    const said = this.said.grow(text);
    const end = sentenceEnd(said, this.spoken);
    if (end === this.spoken) return;
    this.region.textContent = said.slice(this.spoken, end);
    this.spoken = end;
    this.last = time;
  }

  /** Nothing comes after `text`: says what was not said yet, and how the answer ended. */
  end(text: string, how: string): void {
    const rest = this.said.end(text).slice(this.spoken).trim();
    this.region.textContent = [rest, how].filter((part) => part !== "").join("\n");
  }
}
