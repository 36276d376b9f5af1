/** What WebAssembly has here: tiny modules are handed to the browser, which accepts or refuses. */

export type WasmFeature = "simd128" | "relaxed-simd" | "threads";

const V128 = 0x7b;
const LOCAL_V128 = [0x20, 0]; // local.get 0
const DROP = 0x1a;

/** A module of one function `() -> ()` with one v128 local. */
function moduleBytes(body: number[], sections: number[] = []): Uint8Array<ArrayBuffer> {
  const code = [1, 1, V128, ...body, 0x0b];
  return bytesOf([
    ...[1, 4, 1, 0x60, 0, 0], // types: () -> ()
    ...[3, 2, 1, 0], // functions: one, of type 0
    ...sections,
    ...[10, code.length + 2, 1, code.length, ...code],
  ]);
}

function bytesOf(sections: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections);
}

const SIMD = moduleBytes([...LOCAL_V128, 0xfd, 0x62, DROP]); // i8x16.popcnt
const RELAXED = moduleBytes([
  ...[...LOCAL_V128, ...LOCAL_V128, ...LOCAL_V128],
  ...[0xfd, 0x85, 0x02, DROP], // f32x4.relaxed_madd
]);
const SHARED_MEMORY = bytesOf([5, 4, 1, 3, 1, 1]); // one page, at most one, shared

export function wasmFeatures(crossOriginIsolated: boolean): WasmFeature[] {
  if (typeof WebAssembly === "undefined") return [];
  const has: Record<WasmFeature, boolean> = {
    simd128: WebAssembly.validate(SIMD),
    "relaxed-simd": WebAssembly.validate(RELAXED),
    threads:
      crossOriginIsolated &&
      typeof SharedArrayBuffer === "function" &&
      typeof Atomics?.wait === "function" &&
      WebAssembly.validate(SHARED_MEMORY),
  };
  return (Object.keys(has) as WasmFeature[]).filter((name) => has[name]);
}
