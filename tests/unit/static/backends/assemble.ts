/** WebAssembly modules of a few bytes: what a compiler's kernels look like from outside. */

// Bodies of kernels `(pointer, begin, end) -> i32`.
export const KERNELS = {
  /** word[0] += end - begin */
  add: [0x20, 0, 0x20, 0, 0x28, 2, 0, 0x20, 2, 0x6a, 0x20, 1, 0x6b, 0x36, 2, 0, 0x41, 0, 0x0b],
  /** word[0] *= 2 */
  double: [0x20, 0, 0x20, 0, 0x28, 2, 0, 0x41, 2, 0x6c, 0x36, 2, 0, 0x41, 0, 0x0b],
  /** `unreachable` */
  trap: [0x00, 0x0b],
  /** returns 3 */
  refuse: [0x41, 3, 0x0b],
};

export interface Parts {
  kernels?: Partial<Record<string, number[]>>;
  stackPointer?: boolean;
  setWorkspace?: boolean;
  /** Imports a shared memory. */
  shared?: boolean;
}

const I32 = 0x7f;
const SHARED = [3, 1, 0xff, 0xff, 3]; // 1 to 65535 pages

/** A module with the kernels above (or others) and what every thread sets at its start. */
export function assemble({
  kernels = KERNELS,
  stackPointer = true,
  setWorkspace = true,
  shared = false,
}: Parts = {}): Uint8Array<ArrayBuffer> {
  const bodies = Object.entries(kernels) as [string, number[]][];
  const exports = bodies.map(([name], index) => [...text(name), 0, index]);
  const functions = bodies.map(() => 0);
  const code = bodies.map(([, body]) => [body.length + 1, 0, ...body]);
  if (setWorkspace) {
    exports.push([...text("set_workspace"), 0, functions.length]);
    functions.push(1);
    code.push([2, 0, 0x0b]);
  }
  if (stackPointer) exports.push([...text("__stack_pointer"), 3, 0]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [
      [0x60, 3, I32, I32, I32, 1, I32],
      [0x60, 1, I32, 0],
    ]),
    ...section(2, [[...text("env"), ...text("memory"), 2, ...(shared ? SHARED : [0, 1])]]),
    ...section(
      3,
      functions.map((type) => [type]),
    ),
    ...section(6, [[I32, 1, 0x41, 0, 0x0b]]),
    ...section(7, exports),
    ...section(10, code),
  ]);
}

function section(id: number, items: number[][]): number[] {
  const content = [items.length, ...items.flat()];
  return [id, (content.length & 0x7f) | 0x80, content.length >> 7, ...content];
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}
