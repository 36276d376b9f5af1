import { describe, expect, test } from "vitest";
import {
  layoutMemory,
  neededPages,
  PAGE,
  placeProbe,
} from "../../../../static/src/backends/wasm-layout";
import type { WebkilnError } from "../../../../static/src/engine/api";
import { type Plan, WASM_RESERVED, WASM_STACK } from "../../../../static/src/plan";
import { plan } from "../bundle";

/** The plan with one state buffer that takes so many bytes for each position. */
function hungry(bytes: number): Plan {
  const hungry = plan();
  hungry.buffers.push({ name: "kv", kind: "state", bytes: 0, bytes_per_token: bytes });
  return hungry;
}

function refusal(work: () => unknown): WebkilnError {
  try {
    work();
  } catch (error) {
    return error as WebkilnError;
  }
  throw new Error("nothing was refused");
}

describe("layout", () => {
  test("every thread has a stack above the module's memory and a workspace above the stack", () => {
    const tight = plan();
    if (tight.kernels[0]) tight.kernels[0].workgroup_bytes = 1000;
    const { threads, begin } = layoutMemory(tight, 10, 3);
    const each = WASM_STACK + 1024;
    expect(threads.map(({ stackTop }) => stackTop)).toEqual(
      [0, 1, 2].map((thread) => WASM_RESERVED + WASM_STACK + thread * each),
    );
    for (const { stackTop, workspace } of threads) {
      expect(workspace).toBe(stackTop);
      expect(stackTop % 16).toBe(0);
    }
    expect(begin).toBe(WASM_RESERVED + 3 * each);
  });

  test("buffers follow, aligned, none on top of another", () => {
    const context = 100;
    const layout = layoutMemory(plan(), context, 2);
    const sizes = [40, 256, 4 + 4 * context, 32, 32, 4];
    let end = layout.begin;
    layout.buffers.forEach((address, index) => {
      expect(address % 256).toBe(0);
      expect(address).toBeGreaterThanOrEqual(end);
      expect(address - end).toBeLessThan(256);
      end = address + (sizes[index] ?? 0);
    });
    expect(layout.buffers).toHaveLength(sizes.length);
    expect(layout.end).toBe(end);
  });
});

describe("4 GiB", () => {
  test("what fits is counted in whole pages", () => {
    const { end } = layoutMemory(hungry(1000), 100, 1);
    const pages = neededPages(hungry(1000), 100, 1);
    expect(pages * PAGE).toBeGreaterThanOrEqual(end);
    expect((pages - 1) * PAGE).toBeLessThan(end);
  });

  test("the largest context that fits is named, and fits", () => {
    const large = hungry(2 ** 20);
    const error = refusal(() => neededPages(large, 8192, 4));
    expect(error.code).toBe("device-too-small");
    expect(error.message).toContain("8.0 GiB of memory at a context of 8192");
    expect(error.message).toContain("4 GiB");
    const largest = Number(/at most (\d+) tokens \(it is 8192\)/.exec(error.hint)?.[1]);
    expect(neededPages(large, largest, 4)).toBeLessThanOrEqual(65535);
    expect(() => neededPages(large, largest + 1, 4)).toThrow(error.message.slice(0, 16));
  });

  test("a model too large at any context", () => {
    const large = plan();
    if (large.buffers[0]) large.buffers[0].bytes = 5 * 2 ** 30;
    const error = refusal(() => neededPages(large, 64, 1));
    expect(error.code).toBe("device-too-small");
    expect(error.message).toContain("5.0 GiB");
    expect(error.hint).toBe("Choose a smaller model.");
  });
});

test("a probe's contents lie one after the other where the buffers are", () => {
  expect(placeProbe([4, 300, 8], 1024, 4096)).toEqual([1024, 1280, 1792]);
  const error = refusal(() => placeProbe([4, 300, 8], 1024, 1799));
  expect(error.code).toBe("bad-bundle");
  expect(error.message).toContain("776 bytes");
});
