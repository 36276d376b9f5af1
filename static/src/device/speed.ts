/** What a token takes, from the manifest and a measured pace. */

import type { Pace } from "../engine/assessment";
import type { Variant } from "../plan";

/** Tokens before the one that is estimated: a question and half an answer. */
const POSITION = 256;
/**
 * A model's own kernels by the micro-benchmark's rate, as measured (docs/library.md): on WebGPU they
 * wait for one another, on WebAssembly some weights are coded in ways that take less computing.
 */
export const EFFICIENCY = { webgpu: 1, wasm: 1.5 };

/** Tokens a second at decode; null for a model that does not decode token by token. */
export function estimate(
  variant: Pick<Variant, "backend" | "bytes_per_token" | "dispatches_per_token" | "memory">,
  pace: Pace,
): number | null {
  const { backend, bytes_per_token, dispatches_per_token, memory } = variant;
  if (bytes_per_token === null || dispatches_per_token === null) return null;
  const bytes = bytes_per_token + POSITION * memory.state_per_token;
  const reading = bytes / (pace.bytesPerSecond * EFFICIENCY[backend]);
  const seconds = reading + dispatches_per_token * pace.secondsPerDispatch;
  return seconds > 0 && Number.isFinite(seconds) ? 1 / seconds : null;
}
