/** What a way of running is called; the same in every language. */

/** The rung in a few words: "f32 · WebGPU". */
export function rungName(variant: string, backend: string): string {
  return `${variant} · ${backend === "webgpu" ? "WebGPU" : "WebAssembly"}`;
}
