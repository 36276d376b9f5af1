/** Where everything lies in the linear memory of a wasm variant. */

import { WebkilnError } from "../engine/api";
import { formatBytes } from "../engine/errors";
import { ALIGN, type Plan, WASM_RESERVED, WASM_STACK } from "../plan";
import { badModule } from "./wasm-errors";
import { bufferBytes } from "./webgpu-device";

export const PAGE = 65536; // bytes
const MAX_PAGES = 65535; // 4 GiB less a page: modules with shared memory declare no more

/** What one thread has to itself, by address. */
export interface ThreadArea {
  /** Stacks grow down from here. */
  stackTop: number;
  workspace: number;
}

export interface MemoryLayout {
  threads: ThreadArea[];
  /** Where the plan's buffers begin, all of them. */
  begin: number;
  /** Address of each of the plan's buffers. */
  buffers: number[];
  /** First address after the last buffer. */
  end: number;
}

/** The module's own memory, then a stack and a workspace for each thread, then the buffers. */
export function layoutMemory(plan: Plan, context: number, threads: number): MemoryLayout {
  const workspace = aligned(Math.max(0, ...plan.kernels.map((kernel) => kernel.workgroup_bytes)));
  const each = WASM_STACK + workspace;
  const areas = Array.from({ length: threads }, (_, thread) => {
    const stackTop = WASM_RESERVED + thread * each + WASM_STACK;
    return { stackTop, workspace: stackTop };
  });
  const begin = WASM_RESERVED + threads * each;
  const sizes = plan.buffers.map((buffer) => bufferBytes(buffer, context));
  const { addresses, end } = place(sizes, begin);
  return { threads: areas, begin, buffers: addresses, end };
}

/** Pages of 64 KiB that the plan takes. Throws `device-too-small` where they pass 4 GiB. */
export function neededPages(plan: Plan, context: number, threads: number): number {
  const { end } = layoutMemory(plan, context, threads);
  if (end <= MAX_PAGES * PAGE) return Math.ceil(end / PAGE);
  const largest = largestContext(plan, context, threads);
  throw new WebkilnError(
    "device-too-small",
    `the model takes ${formatBytes(end)} of memory at a context of ${context}; ` +
      "WebAssembly's memory ends at 4 GiB",
    largest > 0
      ? `Choose a context of at most ${largest} tokens (it is ${context}).`
      : "Choose a smaller model.",
  );
}

/** Addresses for the contents of a self-test, where buffers lie otherwise. */
export function placeProbe(sizes: number[], begin: number, limit: number): number[] {
  const { addresses, end } = place(sizes, begin);
  if (end <= limit) return addresses;
  throw badModule(
    `a self-test takes ${formatBytes(end - begin)}, the model ${formatBytes(limit - begin)}`,
  );
}

/** The largest context below `tooLarge` that fits; 0 if none does. */
function largestContext(plan: Plan, tooLarge: number, threads: number): number {
  let fits = 0;
  for (let over = tooLarge; over - fits > 1; ) {
    const middle = Math.floor((fits + over) / 2);
    if (layoutMemory(plan, middle, threads).end <= MAX_PAGES * PAGE) fits = middle;
    else over = middle;
  }
  return fits;
}

function place(sizes: number[], begin: number): { addresses: number[]; end: number } {
  let end = begin;
  const addresses = sizes.map((bytes) => {
    const address = aligned(end);
    end = address + bytes;
    return address;
  });
  return { addresses, end };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
