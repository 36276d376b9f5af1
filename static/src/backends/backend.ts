/** What the engine asks of whatever executes a plan. */

import type { WeightSink } from "../load/weights";
import type { Plan } from "../plan";

export type StateData = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

export interface Chunk {
  name: string;
  rows: number;
}

/** The `prefill_<N>` of a plan, the largest if there are several. */
export function prefillOf({ functions }: Plan): Chunk {
  const chunks = Object.entries(functions)
    .filter(([name]) => name.startsWith("prefill_"))
    .map(([name, { rows }]) => ({ name, rows }));
  return chunks.reduce((best, chunk) => (chunk.rows > best.rows ? chunk : best));
}

export interface Backend extends WeightSink {
  /** Positions of the KV cache. */
  readonly context: number;
  /** How many decode steps may be under way at a time. */
  readonly maxDepth: number;
  /** The function that appends a prompt's tokens, and how many it takes at a time. */
  readonly prefill: Chunk;

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
  /** Starts `decode` at `position`; gives the id it put at tokens[position + 1]. */
  decode(position: number): Promise<number>;
  /** An output of a function, as its last run left it. */
  read(name: string, output: string): Promise<Float32Array<ArrayBuffer>>;
  /** Resolves when everything started so far is done. */
  idle(): Promise<void>;
  dispose(): void;
}
