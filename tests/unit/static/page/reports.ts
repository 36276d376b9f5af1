/** Capability reports to test with. */

import type { CapabilityReport, EngineInfo, Rung } from "../../../../static/src/page/engine";

export function rung(variant: string, parts: Partial<Rung> = {}): Rung {
  const backend = variant.startsWith("wasm") ? "wasm" : "webgpu";
  return { variant, backend, usable: true, reasons: [], causes: [], ...parts };
}

/** A device that can do everything, with the rungs f16, f32, wasm-threads and wasm. */
export function report(parts: Partial<CapabilityReport> = {}): CapabilityReport {
  return {
    secureContext: true,
    crossOriginIsolated: true,
    adapter: { vendor: "a", architecture: "b", description: "", fallback: false },
    features: ["shader-f16"],
    limits: { maxBufferSize: 268435456 },
    webassembly: ["simd128", "threads"],
    cores: 8,
    rungs: [rung("f16"), rung("f32"), rung("wasm-threads"), rung("wasm")],
    chosen: "f16",
    ...parts,
  };
}

export function info(variant: string, parts: Partial<EngineInfo> = {}): EngineInfo {
  return {
    model: "tiny",
    variant,
    backend: variant.startsWith("wasm") ? "wasm" : "webgpu",
    threads: 1,
    tuned: null,
    context: 512,
    vocabulary: 320,
    embedding: null,
    notes: [],
    remarks: [],
    report: report({ chosen: variant }),
    ...parts,
  };
}
