/** Token ids to text while they arrive. */

export interface Decoder {
  /** Text of `ids`; incomplete UTF-8 sequences come out as U+FFFD. */
  decode(ids: number[]): string;
}

const INCOMPLETE = "\ufffd";

/**
 * Streams text that never has to be taken back: a character whose bytes span several tokens is
 * held until it is whole.
 *
 * Decoders treat the first token of a sequence specially (a leading space may vanish), so each
 * piece is the difference between two decodings that start at the same earlier token.
 */
export class Detokenizer {
  private readonly ids: number[];
  private start = 0; // first token of the window
  private emitted: number; // tokens whose text has been returned

  /** `before`: tokens that the text goes on from. */
  constructor(
    private readonly decoder: Decoder,
    before: number[] = [],
  ) {
    this.ids = [...before];
    this.emitted = before.length;
  }

  /** Text that became certain with this token; "" while a character is incomplete. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.decode(this.start, this.ids.length);
    const known = this.decode(this.start, this.emitted);
    if (text.length <= known.length || text.endsWith(INCOMPLETE)) return "";
    this.start = this.emitted;
    this.emitted = this.ids.length;
    return text.slice(known.length);
  }

  /** What is still held; an unfinished character comes out as U+FFFD. */
  flush(): string {
    const text = this.decode(this.start, this.ids.length);
    const known = this.decode(this.start, this.emitted);
    this.start = this.ids.length;
    this.emitted = this.ids.length;
    return text.slice(known.length);
  }

  private decode(from: number, to: number): string {
    return from === to ? "" : this.decoder.decode(this.ids.slice(from, to));
  }
}

/** Passes text through up to the first stop string; what might begin one is held back. */
export class StopFilter {
  private held = "";
  stopped = false;

  constructor(private readonly stops: string[]) {}

  /** The part of the text that cannot belong to a stop string. */
  push(text: string): string {
    if (this.stopped) return "";
    this.held += text;
    const found = this.stops.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      return this.release(Math.min(...found));
    }
    return this.release(this.held.length - this.longestStart());
  }

  /** What was held back, once no more text will come. */
  flush(): string {
    return this.stopped ? "" : this.release(this.held.length);
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }

  /** Length of the longest end of the held text that begins a stop string. */
  private longestStart(): number {
    let longest = 0;
    for (const stop of this.stops) {
      for (let length = Math.min(stop.length - 1, this.held.length); length > longest; length--) {
        if (this.held.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
