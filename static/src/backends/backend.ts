/** What the engine asks of whatever executes a plan, and what plans say of themselves. */

import type { WeightSink } from "../load/weights";
import type { Plan } from "../plan";

export type StateData = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

export interface Chunk {
  name: string;
  rows: number;
}

/** The `prefill_<N>` of a plan, the largest if there are several. */
export function prefillOf(plan: Plan): Chunk | null {
  return bySize(plan, "prefill_").at(-1) ?? null;
}

/** Every `embed_<N>` of a plan, the smallest first. */
export function textsOf(plan: Plan): Chunk[] {
  return bySize(plan, "embed_");
}

/** The `verify_<N>` of a plan. */
export function verifyOf(plan: Plan): Chunk | null {
  return bySize(plan, "verify_")[0] ?? null;
}

function bySize({ functions }: Plan, prefix: string): Chunk[] {
  const found = Object.entries(functions).filter(([name]) => name.startsWith(prefix));
  return found.map(([name, { rows }]) => ({ name, rows })).sort((a, b) => a.rows - b.rows);
}

export interface Backend extends WeightSink {
  /** Positions of the KV cache. */
  readonly context: number;
  /** How many decode steps may be under way at a time. */
  readonly maxDepth: number;
  /** The function that appends a prompt's tokens, and how many it takes; null: an embedder. */
  readonly prefill: Chunk | null;
  /** The function that speculates, if there is one, and how many tokens it gives at most. */
  readonly verify: Chunk | null;
  /** Whether runs change state that cannot be taken back: see Plan. */
  readonly recurrent: boolean;
  /** The functions that embed a text, and how many tokens they take; the smallest first. */
  readonly texts: readonly Chunk[];

  /**
   * Runs one kernel over its whole grid on buffers of its own, one per binding, filled with
   * `contents`; gives what the binding `output` holds afterwards. Only before weights are written.
   */
  probe(
    kernel: number,
    grid: readonly number[],
    contents: readonly Uint32Array<ArrayBuffer>[],
    output: number,
  ): Promise<Uint32Array<ArrayBuffer>>;
  /** Compiles the kernels and ties them to their buffers; `onKernel` is called for each one done. */
  prepare(onKernel: () => void): Promise<void>;

  /** Writes into a state buffer, after the runs started so far and before later ones. */
  write(state: string, byteOffset: number, data: StateData): void;
  /** Starts a run of a function over `rows` tokens and does not wait for it. */
  run(name: string, rows: number): void;
  /**
   * Starts `decode`, or the plan's `verify_<N>`, where the step before leaves off. Gives the ids it
   * takes: one, with `verify_<N>` up to N, and none after a stop token or the context's end.
   */
  step(name: string): Promise<number[]>;
  /** An output of a function, as its last run left it. */
  read(name: string, output: string): Promise<Float32Array<ArrayBuffer>>;
  /** Resolves when everything started so far is done. */
  idle(): Promise<void>;
  dispose(): void;
}

/** The tokens a step took, from `control` at Control.TAKEN on. */
export function takenTokens(words: Int32Array): number[] {
  return [...words.subarray(1, 1 + (words[0] ?? 0))];
}
