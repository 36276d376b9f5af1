/** What the engine asks of whatever executes a plan. */

import type { WeightSink } from "../load/weights";

export type StateData = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

export interface Backend extends WeightSink {
  /** Positions of the KV cache. */
  readonly context: number;
  /** How many decode steps may be under way at a time. */
  readonly maxDepth: number;
  /** Rows of each `prefill_<N>`, by function name. */
  readonly prefill: ReadonlyMap<string, number>;

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
  /** Starts a run of a function and does not wait for it. */
  run(name: string): void;
  /** Starts `decode` at `position`; gives the id it put at tokens[position + 1]. */
  decode(position: number): Promise<number>;
  /** An output of a function, as its last run left it. */
  read(name: string, output: string): Promise<Float32Array<ArrayBuffer>>;
  /** Resolves when everything started so far is done. */
  idle(): Promise<void>;
  dispose(): void;
}
