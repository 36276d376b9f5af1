/**
 * A backend whose device is a queue of closures. Its next token depends on everything in its KV
 * cache, so a generator that reuses or overwrites the wrong positions gives different tokens; with
 * a presence penalty it depends on all counts as well. Guesses that turn out wrong leave rubbish in
 * the cache and behind the tokens.
 */

import type { Backend, Chunk, StateData } from "../../../../static/src/backends/backend";
import type { WebkilnError } from "../../../../static/src/engine/api";
import { Control, PROMPT_BIT, SAMPLING_SLOTS, Sampling } from "../../../../static/src/plan";

export const VOCABULARY = 97;
const VERIFY: Chunk = { name: "verify_4", rows: 4 };

export class FakeBackend implements Backend {
  readonly maxDepth = 16;
  readonly prefill: Chunk = { name: "prefill_16", rows: 16 };
  readonly verify: Chunk | null;
  readonly recurrent: boolean = false;
  readonly texts = [];
  /** Prefill chunks with their positions, and names of steps. */
  readonly log: string[] = [];
  readonly steps: string[] = [];
  readonly counts = new Int32Array(VOCABULARY);
  private readonly control = new Int32Array(64);
  private readonly sampling = new Float32Array(SAMPLING_SLOTS);
  private readonly tokens: Int32Array;
  private readonly kv: Int32Array;
  private queue: Promise<unknown> = Promise.resolve();
  underWay = 0;
  mostUnderWay = 0;
  /** Calls of `idle` that wait. */
  awaited = 0;
  mostAwaited = 0;
  disposed = false;
  /** Called before each decode step and each prefill chunk runs. */
  onStep: () => void = () => {};
  onChunk: () => void = () => {};
  private lost: WebkilnError | null = null;

  /** With `guessed`, it can verify; that says whether the guess for a position is right. */
  constructor(
    readonly context = 64,
    private readonly guessed: ((position: number) => boolean) | null = null,
  ) {
    this.verify = guessed && VERIFY;
    this.tokens = new Int32Array(context + 1);
    this.kv = new Int32Array(context);
  }

  /** From now on everything fails, what is under way included. */
  lose(error: WebkilnError): void {
    this.lost = error;
  }

  write(state: string, byteOffset: number, data: StateData): void {
    const { control, tokens, counts, sampling } = this;
    const target = { control, tokens, counts, sampling }[state];
    this.enqueue(() => target?.set(data, byteOffset / 4)).catch(() => {});
  }

  run(name: string, rows: number): void {
    this.enqueue(() => {
      this.onChunk();
      const { [Control.POSITION]: position = 0, [Control.COUNT]: count = 0 } = this.control;
      this.log.push(`${name} ${position}+${count}${rows === count ? "" : ` of ${rows}`}`);
      // Like the kernels, it works on the rows asked for, whatever is real of them.
      const real = this.tokens.subarray(position, position + Math.min(count, rows));
      for (const [index, id] of real.entries()) this.consume(position + index, id);
    }).catch(() => {});
  }

  step(name: string): Promise<number[]> {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    return this.enqueue(() => {
      this.onStep();
      if (this.lost !== null) throw this.lost;
      this.steps.push(name);
      const rows = name === VERIFY.name ? VERIFY.rows : 1;
      const taken: number[] = [];
      while (taken.length < rows && this.control[Control.DONE] === 0) {
        const at = this.control[Control.POSITION] ?? 0;
        taken.push(this.take(at));
        if (rows === 1 || this.guessed?.(at + 1)) continue;
        this.kv.fill(-1, at + 1, at + 1 + rows - taken.length);
        this.tokens.fill(-1, at + 2, at + 2 + rows - taken.length);
        break;
      }
      this.underWay -= 1;
      return taken;
    });
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    return this.enqueue(() => {
      // Of the token consumed last, after which DONE keeps the position.
      const at = (this.control[Control.POSITION] ?? 0) - 1 + (this.control[Control.DONE] ?? 0);
      const logits = new Float32Array(VOCABULARY);
      logits[this.next(at)] = 1;
      return logits;
    });
  }

  async idle(): Promise<void> {
    this.mostAwaited = Math.max(this.mostAwaited, ++this.awaited);
    await this.enqueue(() => {}).finally(() => {
      this.awaited -= 1;
    });
  }

  async probe(): Promise<Uint32Array<ArrayBuffer>> {
    return new Uint32Array(1);
  }

  async prepare(): Promise<void> {}
  writeWeight(): void {}
  async settle(): Promise<void> {}
  dispose(): void {
    this.disposed = true;
  }

  private take(at: number): number {
    this.consume(at, this.tokens[at] ?? 0);
    const id = this.next(at);
    this.tokens[at + 1] = id;
    if (this.penalised) this.counts[id] = (this.counts[id] ?? 0) + 1;
    const stops = this.control.subarray(
      Control.STOP,
      Control.STOP + (this.control[Control.STOP_COUNT] ?? 0),
    );
    if (stops.includes(id) || at + 1 >= this.context) this.control[Control.DONE] = 1;
    else this.control[Control.POSITION] = at + 1;
    return id;
  }

  /** A hash of the cache up to `at`, and of the counts where they matter. */
  private next(at: number): number {
    const cached = this.digest(at);
    if (!this.penalised) return cached;
    // The prompt's bit counts as a number of its own.
    const seen = this.counts.map((count) => (count & PROMPT_BIT ? 50 : 0) + (count & 1023));
    return seen.reduce(mix, cached);
  }

  protected consume(at: number, id: number): void {
    this.kv[at] = id;
  }

  /** Of all tokens up to the one at `at`. */
  protected digest(at: number): number {
    return this.kv.subarray(0, at + 1).reduce(mix, 1);
  }

  private get penalised(): boolean {
    return this.sampling[Sampling.PRESENCE] !== 0;
  }

  private enqueue<T>(work: () => T): Promise<T> {
    // A macrotask per job: results arrive late, as from a GPU, and other code runs in between.
    const result = this.queue.then(async () => {
      await new Promise<void>((go) => setTimeout(go));
      if (this.lost !== null) throw this.lost;
      return work();
    });
    this.queue = result.catch(() => {});
    return result;
  }
}

/** One whose memory is a state that only moves forward, and begins anew at position 0. */
export class RecurrentBackend extends FakeBackend {
  override readonly recurrent = true;
  override readonly prefill = { name: "prefill_1", rows: 1 };
  private memory = 1;

  protected override consume(at: number, id: number): void {
    this.memory = mix(at === 0 ? 1 : this.memory, id);
  }

  protected override digest(): number {
    return this.memory;
  }
}

function mix(sum: number, value: number): number {
  return (sum * 31 + value + 7) % VOCABULARY;
}
