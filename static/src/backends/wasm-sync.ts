/**
 * How the threads of a wasm variant share their work: words in shared memory, no messages.
 *
 * The chunks of all stages are numbered on and on. A thread claims the next number as long as it is
 * one of its stage's; the stage is over when as many are done. Chunks are waited for, not threads:
 * one that the system holds up between two chunks holds up nobody. When it comes, it finds its
 * stages, perhaps its whole command, claimed and done, and catches up.
 */

import { kernelFault } from "./wasm-errors";

/** Work for all threads: stages `first` .. `end` - 1 of a function, or a probe. */
export type Command =
  | { kind: "run"; fn: number; first: number; end: number }
  | { kind: "probe"; kernel: number; items: number; pointers: number[] };

// Positions of the words. Lines of 128 bytes: what one thread writes must not slow down another
// that waits for something else.
const LINE = 32;
const COMMAND = 0; // counts commands
const CLAIMED = 1 * LINE; // the next chunk to be claimed
const DONE = 2 * LINE; // counts chunks done
const ASLEEP = 3 * LINE; // threads that wait for a notification
const FAULT = 4 * LINE; // 0: none; 1: being written down; else 2 + bytes of its text
const TEXT = 5 * LINE;
const SLOTS = 13 * LINE; // of the newest command and the one before it, by turns
const TEXT_BYTES = (SLOTS - TEXT) * 4;

// A slot: number of the first chunk, 0 (run) or 1 (probe), fn or kernel, first or items, end or
// the number of pointers, pointers.
const FIXED = 5;

// Numbers wrap around, so only differences are compared. They soon do: a mistake would show.
const FIRST_CHUNK = 2 ** 31 - 1000;
const FAULT_LEAP = 2 ** 30; // puts DONE past the end of any stage

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
  private readonly slotWords: number;
  /** The newest command this thread knows. */
  private command = 0;
  /** Number of the first chunk of the stage this thread is at. */
  private start = FIRST_CHUNK;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.slotWords = (this.words.length - SLOTS) / 2;
  }

  static create(mostPointers: number): ThreadSync {
    const slots = 2 * (FIXED + mostPointers);
    const sync = new ThreadSync(new SharedArrayBuffer((SLOTS + slots) * 4));
    sync.words[CLAIMED] = FIRST_CHUNK;
    sync.words[DONE] = FIRST_CHUNK;
    return sync;
  }

  /** One of the `chunks` of the stage, 0 .. `chunks` - 1, for this thread; null: all are taken. */
  claim(chunks: number): number | null {
    const { words, start } = this;
    let next = Atomics.load(words, CLAIMED);
    // Unlike an addition, an exchange never takes a number of the next stage.
    for (let chunk = (next - start) | 0; chunk < chunks; chunk = (next - start) | 0) {
      const found = Atomics.compareExchange(words, CLAIMED, next, next + 1);
      if (found === next) return chunk;
      next = found;
    }
    return null;
  }

  /**
   * This thread did `done` of the stage's chunks, all it could claim. Returns when the others are
   * done too. Throws the fault of whichever thread had one.
   */
  finish(chunks: number, done: number): void {
    const { words } = this;
    this.start = (this.start + chunks) | 0;
    const last = done > 0 && Atomics.add(words, DONE, done) === ((this.start - done) | 0);
    if (last) this.wake(DONE);
    else if (!this.reach(DONE, this.start, SPINS, WAIT_MS)) {
      this.fail("a thread of the WebAssembly backend no longer answers");
    }
    this.check();
  }

  /** Thread 0, which goes through every command to its end: gives the others work. */
  send(command: Command): void {
    const content =
      command.kind === "run"
        ? [0, command.fn, command.first, command.end]
        : [1, command.kernel, command.items, command.pointers.length, ...command.pointers];
    this.command = (this.command + 1) | 0;
    const slot = this.slot(this.command);
    [this.start, ...content].forEach((word, index) => {
      Atomics.store(this.words, slot + index, word);
    });
    Atomics.add(this.words, COMMAND, 1);
    this.wake(COMMAND);
  }

  /** Helpers: the newest command, once there is a new one. Throws the fault that ended the work. */
  next(): Command {
    this.reach(COMMAND, (this.command + 1) | 0, COMMAND_SPINS, Number.POSITIVE_INFINITY);
    const [start = 0, kind = 0, a = 0, b = 0, c = 0, ...pointers] = this.newest();
    this.check();
    this.start = start;
    if (kind === 0) return { kind: "run", fn: a, first: b, end: c };
    return { kind: "probe", kernel: a, items: b, pointers: pointers.slice(0, c) };
  }

  /** Ends the work of all threads; they throw `message`. The first fault is the one that counts. */
  fail(message: string): void {
    const { words } = this;
    if (Atomics.compareExchange(words, FAULT, 0, 1) !== 0) return;
    const text = new TextEncoder().encode(message).subarray(0, TEXT_BYTES);
    new Uint8Array(this.buffer, TEXT * 4).set(text);
    Atomics.store(words, FAULT, 2 + text.length);
    Atomics.add(words, DONE, FAULT_LEAP);
    this.wake(DONE);
    Atomics.add(words, COMMAND, 1);
    this.wake(COMMAND);
  }

  /** Throws the fault, if there is one. */
  check(): void {
    if (Atomics.load(this.words, FAULT) === 0) return;
    while (Atomics.load(this.words, FAULT) === 1) pause();
    const length = Atomics.load(this.words, FAULT) - 2;
    const text = new Uint8Array(new Uint8Array(this.buffer, TEXT * 4, length));
    throw kernelFault(new TextDecoder().decode(text));
  }

  private slot(command: number): number {
    return SLOTS + (command & 1) * this.slotWords;
  }

  /** The words of the newest command's slot. */
  private newest(): number[] {
    const { words } = this;
    for (;;) {
      this.command = Atomics.load(words, COMMAND);
      const slot = this.slot(this.command);
      const length = { length: this.slotWords };
      const content = Array.from(length, (_, index) => Atomics.load(words, slot + index));
      // This slot is only written again when another command is the newest.
      if (Atomics.load(words, COMMAND) === this.command) return content;
    }
  }

  private wake(word: number): void {
    if (Atomics.load(this.words, ASLEEP) > 0) Atomics.notify(this.words, word);
  }

  /** Whether the word came to `goal` in time: looked at often at first, then asleep. */
  private reach(word: number, goal: number, spins: number, wait: number): boolean {
    const { words } = this;
    for (let spin = 0; spin < spins; spin++) {
      if (((Atomics.load(words, word) - goal) | 0) >= 0) return true;
      pause();
    }
    Atomics.add(words, ASLEEP, 1);
    let value = Atomics.load(words, word);
    for (let waits = 0; ((value - goal) | 0) < 0 && waits < PATIENCE; ) {
      if (Atomics.wait(words, word, value, wait) === "timed-out") waits += 1;
      value = Atomics.load(words, word);
    }
    Atomics.sub(words, ASLEEP, 1);
    return ((value - goal) | 0) >= 0;
  }
}
