/** A plan's functions as calls of kernels, cut into chunks that threads can share. */

import type { Plan, Step } from "../plan";
import { badModule } from "./wasm-errors";
import { bufferBytes } from "./webgpu-device";
import { element } from "./webgpu-steps";

/** An export of the module: `(pointer of each binding..., begin, end)`; 0 means done. */
export type Kernel = (...args: number[]) => number;

export interface Call {
  /** Index into Plan.kernels. */
  kernel: number;
  /** Computes items `begin` .. `end` - 1 of its step. */
  run(begin: number, end: number): number;
}

/** What has to be done before anything later may begin. */
export interface Stage {
  calls: Call[];
  /** Chunk `c`, which one thread does, is items `bounds[c]` .. `bounds[c + 1]` - 1. */
  bounds: readonly number[];
}

const HALVINGS = 3;

/**
 * The bounds of a step's chunks. Each thread's part of the items is halved three times: large
 * chunks first, because every call of a kernel costs something, small ones last, because then
 * threads of different speed end together.
 */
export function chunkBounds(items: number, threads: number): number[] {
  if (threads === 1 || items === 1) return [0, items];
  const bounds = [0];
  for (let end = 0, halvings = 0; end < items; halvings++) {
    const parts = halvings < HALVINGS ? 2 * threads : threads;
    const size = Math.ceil((items - end) / parts);
    for (let thread = 0; thread < threads && end < items; thread++) {
      end = Math.min(end + size, items);
      bounds.push(end);
    }
  }
  return bounds;
}

/**
 * A function's steps as stages, the same on every thread. Steps of one item that follow each other
 * are one stage: one thread does them all, so nobody has to be waited for in between.
 */
export function stagesOf(
  steps: readonly Step[],
  kernels: readonly Kernel[],
  addresses: readonly number[],
  threads: number,
): Stage[] {
  const stages: Stage[] = [];
  let singles: Call[] | null = null;
  for (const step of steps) {
    const items = element(step.grid, 0);
    const pointers = step.bindings.map(({ buffer, offset }) => element(addresses, buffer) + offset);
    const call = callOf(kernels, step.kernel, pointers);
    if (items === 1 && singles !== null) {
      singles.push(call);
      continue;
    }
    const calls = [call];
    stages.push({ calls, bounds: chunkBounds(items, threads) });
    singles = items === 1 ? calls : null;
  }
  return stages;
}

export function callOf(
  kernels: readonly Kernel[],
  kernel: number,
  pointers: readonly number[],
): Call {
  // Of all ways to call with arguments known beforehand, bind is the fastest in V8.
  return { kernel, run: element(kernels, kernel).bind(null, ...pointers) };
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
