/** A plan's functions as the calls that one thread makes. */

import type { Plan, Step } from "../plan";
import { badModule } from "./wasm-errors";
import { bufferBytes } from "./webgpu-device";
import { element } from "./webgpu-steps";

/** An export of the module: `(pointer of each binding..., begin, end)`; 0 means done. */
export type Kernel = (...args: number[]) => number;

export interface Call {
  /** Index into Plan.kernels. */
  kernel: number;
  run(): number;
}

/** What a thread does between two barriers; nothing, where the work is another's. */
export type Stage = Call[];

/** Which thread of how many. */
export interface Place {
  thread: number;
  threads: number;
}

/** The items `begin` .. `end` - 1 of a step that are a thread's; all shares differ by one at most. */
export function share(items: number, { thread, threads }: Place): [begin: number, end: number] {
  if (items === 1) return thread === 0 ? [0, 1] : [0, 0];
  return [Math.floor((items * thread) / threads), Math.floor((items * (thread + 1)) / threads)];
}

/**
 * A function's steps as stages. Steps of one item that follow each other are one stage: thread 0
 * does them all, so nobody has to be waited for in between.
 */
export function stagesOf(
  steps: readonly Step[],
  kernels: readonly Kernel[],
  addresses: readonly number[],
  place: Place,
): Stage[] {
  const stages: Stage[] = [];
  let single = false;
  for (const step of steps) {
    const items = element(step.grid, 0);
    if (!single || items !== 1) stages.push([]);
    single = items === 1;
    const pointers = step.bindings.map(({ buffer, offset }) => element(addresses, buffer) + offset);
    stages.at(-1)?.push(...callsOf(kernels, step.kernel, items, pointers, place));
  }
  return stages;
}

/** The thread's call of a kernel over its share of `items`; none if that is empty. */
export function callsOf(
  kernels: readonly Kernel[],
  kernel: number,
  items: number,
  pointers: readonly number[],
  place: Place,
): Call[] {
  const [begin, end] = share(items, place);
  if (begin === end) return [];
  // Of all ways to call with arguments known beforehand, bind is the fastest in V8.
  return [{ kernel, run: element(kernels, kernel).bind(null, ...pointers, begin, end) }];
}

/** Refuses what would make kernels reach beyond their buffers. */
export function checkSteps(plan: Plan, context: number): void {
  for (const [name, { steps }] of Object.entries(plan.functions)) {
    steps.forEach((step, index) => {
      const [, y, z] = step.grid;
      if (y !== 1 || z !== 1) {
        throw badModule(`${name}: step ${index} has the grid ${step.grid.join(" x ")}`);
      }
      for (const { buffer, offset, bytes } of step.bindings) {
        const bound = element(plan.buffers, buffer);
        if (offset + bytes <= bufferBytes(bound, context)) continue;
        throw badModule(`${name}: step ${index} binds more of ${bound.name} than there is`);
      }
    });
  }
}
