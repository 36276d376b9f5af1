/**
 * A backend whose device is a queue of closures. Its next token depends on everything in its KV
 * cache, so a generator that reuses or overwrites the wrong positions gives different tokens.
 */

import type { Backend, StateData } from "../../../../static/src/backends/backend";
import { Control } from "../../../../static/src/plan";

export const VOCABULARY = 97;

export class FakeBackend implements Backend {
  readonly maxDepth = 16;
  readonly prefill = new Map([
    ["prefill_16", 16],
    ["prefill_4", 4],
  ]);
  readonly log: string[] = [];
  readonly counts = new Int32Array(VOCABULARY);
  private readonly control = new Int32Array(64);
  private readonly tokens: Int32Array;
  private readonly kv: Int32Array;
  private queue: Promise<unknown> = Promise.resolve();
  underWay = 0;
  mostUnderWay = 0;
  /** Called before each decode step runs. */
  onStep: () => void = () => {};

  constructor(readonly context = 64) {
    this.tokens = new Int32Array(context + 1);
    this.kv = new Int32Array(context);
  }

  write(state: string, byteOffset: number, data: StateData): void {
    const target = { control: this.control, tokens: this.tokens, counts: this.counts }[state];
    this.enqueue(() => target?.set(data, byteOffset / 4));
  }

  run(name: string): void {
    this.enqueue(() => {
      const { [Control.POSITION]: position = 0, [Control.COUNT]: count = 0 } = this.control;
      this.log.push(`${name} ${position}+${count}`);
      const rows = this.prefill.get(name) ?? 0;
      // Like the kernels, padding rows may leave anything behind.
      this.kv.fill(-1, position, position + rows);
      this.kv.set(this.tokens.subarray(position, position + count), position);
    });
  }

  decode(position: number): Promise<number> {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    return this.enqueue(() => {
      this.onStep();
      const at = this.control[Control.POSITION] ?? 0;
      if (this.control[Control.DONE] === 0) this.step(at);
      this.underWay -= 1;
      return this.tokens[position + 1] ?? 0;
    });
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    return this.enqueue(() => {
      const at = (this.control[Control.POSITION] ?? 0) - 1;
      const logits = new Float32Array(VOCABULARY);
      logits[this.next(at)] = 1;
      return logits;
    });
  }

  async idle(): Promise<void> {
    await this.enqueue(() => {});
  }

  async probe(): Promise<Uint32Array<ArrayBuffer>> {
    return new Uint32Array(1);
  }

  async prepare(): Promise<void> {}
  writeWeight(): void {}
  async settle(): Promise<void> {}
  dispose(): void {}

  private step(at: number): void {
    this.kv[at] = this.tokens[at] ?? 0;
    const id = this.next(at);
    this.tokens[at + 1] = id;
    const stops = this.control.subarray(
      Control.STOP,
      Control.STOP + (this.control[Control.STOP_COUNT] ?? 0),
    );
    if (stops.includes(id)) this.control[Control.DONE] = 1;
    this.control[Control.POSITION] = at + 1;
  }

  /** A hash of the cache up to `at`. */
  private next(at: number): number {
    return this.kv.subarray(0, at + 1).reduce((sum, id) => (sum * 31 + id + 7) % VOCABULARY, 1);
  }

  private enqueue<T>(work: () => T): Promise<T> {
    // A macrotask per job: results arrive late, as from a GPU, and other code runs in between.
    const result = this.queue.then(() => new Promise<T>((done) => setTimeout(() => done(work()))));
    this.queue = result;
    return result;
  }
}
