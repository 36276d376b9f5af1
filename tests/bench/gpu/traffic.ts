/** Bytes that steps of a plan must read: weights, and keys and values up to a position. */

import type { Binding, Buffer, Plan, Step, Tensor } from "../../../static/src/plan";

export interface Traffic {
  weights: number;
  cache: number;
}

type Tensors = Record<string, Tensor>;

/**
 * What one step must read. An embedding reads one row of its table for each of `rows` tokens, and
 * attention the cache's positions below `position + rows`; a matrix is read once however many rows
 * it is multiplied with, and scratch buffers are taken to stay on the chip.
 */
export function stepTraffic(
  plan: Plan,
  tensors: Tensors,
  step: Step,
  position: number,
  rows: number,
): Traffic {
  const kernel = plan.kernels[step.kernel];
  const looksUp = kernel?.name.startsWith("embed") ?? false;
  const traffic = { weights: 0, cache: 0 };
  for (const [index, binding] of step.bindings.entries()) {
    const buffer = plan.buffers[binding.buffer];
    if (buffer?.kind === "weight") {
      const share = looksUp ? Math.min(1, rows / (tensors[buffer.name]?.shape[0] ?? 1)) : 1;
      traffic.weights += Math.round(boundBytes(buffer, binding) * share);
    } else if (kernel?.access[index] === "read" && buffer && isCache(buffer)) {
      traffic.cache += buffer.bytes_per_token * (position + rows);
    }
  }
  return traffic;
}

/** The same of a whole function. */
export function traffic(plan: Plan, tensors: Tensors, name: string, position: number): Traffic {
  const fn = plan.functions[name];
  if (fn === undefined) throw new Error(`the plan has no function ${name}`);
  const total = { weights: 0, cache: 0 };
  for (const step of fn.steps) {
    const { weights, cache } = stepTraffic(plan, tensors, step, position, fn.rows);
    total.weights += weights;
    total.cache += cache;
  }
  return total;
}

/** Keys and values: state that grows with the context, but for the token ids. */
function isCache(buffer: Buffer): boolean {
  return buffer.kind === "state" && buffer.bytes_per_token > 0 && buffer.name !== "tokens";
}

function boundBytes(buffer: Buffer, { offset, bytes }: Binding): number {
  return bytes > 0 ? bytes : buffer.bytes - offset;
}
