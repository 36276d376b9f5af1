import { afterEach, expect, test, vi } from "vitest";
import { wasmFeatures } from "../../../../static/src/device/wasm";

afterEach(() => vi.unstubAllGlobals());

test("what Node's WebAssembly has", () => {
  // Node 20 knows relaxed SIMD behind a switch only; Chromium is asked in tests/browser.
  expect(wasmFeatures(true).filter((name) => name !== "relaxed-simd")).toEqual([
    "simd128",
    "threads",
  ]);
});

test("no threads without isolation or shared memory", () => {
  expect(wasmFeatures(false)).not.toContain("threads");
  vi.stubGlobal("SharedArrayBuffer", undefined);
  expect(wasmFeatures(true)).not.toContain("threads");
});

test("a browser that refuses the modules has nothing, as one without WebAssembly", () => {
  vi.stubGlobal("WebAssembly", { validate: () => false });
  expect(wasmFeatures(true)).toEqual([]);
  vi.stubGlobal("WebAssembly", undefined);
  expect(wasmFeatures(true)).toEqual([]);
});
