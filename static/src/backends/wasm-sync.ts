/** How the threads of a wasm variant keep step: words in shared memory, no messages. */

import { kernelFault } from "./wasm-errors";

/** Work for all threads: stages `first` .. `end` - 1 of a function, or a probe. */
export type Command =
  | { kind: "run"; fn: number; first: number; end: number }
  | { kind: "probe"; kernel: number; items: number; pointers: number[] };

// Positions of the words. Lines of 128 bytes: what one thread writes must not slow down another
// that waits for something else.
const LINE = 32;
const COMMAND = 0; // counts commands; its line goes on with the newest one
const KIND = 1;
const DETAIL = 2; // and two more
const ARRIVED = 1 * LINE; // threads that have come to the barrier
const ROUND = 2 * LINE; // counts barriers passed
const ASLEEP = 3 * LINE; // threads that wait for a notification
const FAULT = 4 * LINE; // 0: none; 1: being written down; else 2 + bytes of its text
const TEXT = 5 * LINE;
const POINTERS = 13 * LINE;
const TEXT_BYTES = (POINTERS - TEXT) * 4;

const WAIT_MS = 1000;
const PATIENCE = 30; // waits without an answer; a computer that slept counts as one

/** Tells the processor that this is a waiting loop, where the browser has a way to. */
const pause: () => void =
  (Atomics as { pause?: () => void }).pause?.bind(Atomics) ?? (() => undefined);
// Looks at a word before going to sleep: about 40 microseconds, as long as sleeping would take.
const SPINS = "pause" in Atomics ? 1_000 : 8_000;
const COMMAND_SPINS = 4 * SPINS; // the engine has things to do between two commands

export class ThreadSync {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private seen = 0;

  constructor(
    readonly buffer: SharedArrayBuffer,
    private readonly threads: number,
  ) {
    this.words = new Int32Array(buffer);
  }

  static create(threads: number, mostPointers: number): ThreadSync {
    return new ThreadSync(new SharedArrayBuffer((POINTERS + mostPointers) * 4), threads);
  }

  /** Returns once every thread has called it. Throws the fault of whichever thread had one. */
  barrier(): void {
    const { words } = this;
    const round = Atomics.load(words, ROUND);
    this.check(); // after reading the round: a fault ends the round it happens in, and no other
    if (Atomics.add(words, ARRIVED, 1) === this.threads - 1) {
      Atomics.store(words, ARRIVED, 0);
      this.advance(ROUND);
    } else if (!this.waitForChange(ROUND, round, SPINS, PATIENCE)) {
      this.fail("a thread of the WebAssembly backend no longer answers");
    }
    this.check();
  }

  /** Thread 0: gives the others work; every command must pass at least one barrier. */
  send(command: Command): void {
    const { words } = this;
    if (command.kind === "run") {
      words.set([0, command.fn, command.first, command.end], KIND);
    } else {
      words.set([1, command.kernel, command.items, command.pointers.length], KIND);
      words.set(command.pointers, POINTERS);
    }
    this.advance(COMMAND);
  }

  /** Helpers: the next command, whenever it comes. Throws the fault that ended the work. */
  next(): Command {
    const { words } = this;
    this.waitForChange(COMMAND, this.seen, COMMAND_SPINS, Number.POSITIVE_INFINITY);
    this.seen = Atomics.load(words, COMMAND);
    this.check();
    const [a = 0, b = 0, c = 0] = words.subarray(DETAIL, DETAIL + 3);
    if (words[KIND] === 0) return { kind: "run", fn: a, first: b, end: c };
    const pointers = [...words.subarray(POINTERS, POINTERS + c)];
    return { kind: "probe", kernel: a, items: b, pointers };
  }

  /** Ends the work of all threads; they throw `message`. The first fault is the one that counts. */
  fail(message: string): void {
    const { words } = this;
    if (Atomics.compareExchange(words, FAULT, 0, 1) !== 0) return;
    const text = new TextEncoder().encode(message).subarray(0, TEXT_BYTES);
    new Uint8Array(this.buffer, TEXT * 4).set(text);
    Atomics.store(words, FAULT, 2 + text.length);
    this.advance(ROUND);
    this.advance(COMMAND);
  }

  /** Throws the fault, if there is one. */
  check(): void {
    if (Atomics.load(this.words, FAULT) === 0) return;
    while (Atomics.load(this.words, FAULT) === 1) pause();
    const length = Atomics.load(this.words, FAULT) - 2;
    const text = new Uint8Array(new Uint8Array(this.buffer, TEXT * 4, length));
    throw kernelFault(new TextDecoder().decode(text));
  }

  private advance(word: number): void {
    Atomics.add(this.words, word, 1);
    if (Atomics.load(this.words, ASLEEP) > 0) Atomics.notify(this.words, word);
  }

  /** Whether the word changed before `patience` ran out: looked at often at first, then asleep. */
  private waitForChange(word: number, value: number, spins: number, patience: number): boolean {
    const { words } = this;
    for (let spin = 0; spin < spins; spin++) {
      if (Atomics.load(words, word) !== value) return true;
      pause();
    }
    Atomics.add(words, ASLEEP, 1);
    for (let waits = 0; waits < patience; waits++) {
      if (Atomics.wait(words, word, value, WAIT_MS) !== "timed-out") break;
    }
    Atomics.sub(words, ASLEEP, 1);
    return Atomics.load(words, word) !== value;
  }
}
