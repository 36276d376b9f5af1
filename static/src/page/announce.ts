/** What a screen reader hears of an answer while it arrives: whole sentences, now and then. */

/** Where the last complete sentence or line after `from` ends; `from` if there is none. */
export function sentenceEnd(text: string, from: number): number {
  const ends = [...text.slice(from).matchAll(/[.!?…:](?=\s)|\n|[。！？]/g)];
  const last = ends.at(-1);
  return last === undefined ? from : from + last.index + last[0].length;
}

const PAUSE_MS = 1000;

/**
 * Fills a live region with what is new, at most once a second: a reader that is handed every
 * sentence of a fast model drops some of them, or falls behind by minutes.
 */
export class Announcer {
  private spoken = 0;
  private last = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly region: { textContent: string | null },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** An answer begins, or goes on after its first `spoken` characters. */
  begin(spoken = 0): void {
    this.spoken = spoken;
    this.region.textContent = "";
  }

  /** `text` is the answer so far. */
  grow(text: string): void {
    const time = this.now();
    if (time - this.last < PAUSE_MS) return;
    const end = sentenceEnd(text, this.spoken);
    if (end === this.spoken) return;
    this.region.textContent = text.slice(this.spoken, end);
    this.spoken = end;
    this.last = time;
  }

  /** The answer `text` is whole: says what was not said yet, or else `complete`. */
  end(text: string, complete: string): void {
    this.region.textContent = text.slice(this.spoken).trim() || complete;
  }
}
