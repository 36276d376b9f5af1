/** What this device can run, from the manifest alone: before anything large is fetched. */

import type { Backend, CapabilityReport } from "../engine/api";
import type { Manifest } from "../plan";
import { trialOrder } from "./choose";
import { judge } from "./judge";
import { wasmFeatures } from "./wasm";

/** What the check looks at; tests hand in their own. */
export interface Surroundings {
  gpu: Pick<GPU, "requestAdapter"> | undefined;
  secureContext: boolean;
  crossOriginIsolated: boolean;
  /** Of "simd128", "relaxed-simd" and "threads", what WebAssembly has here. */
  webassembly: string[];
  /** `navigator.hardwareConcurrency`. */
  cores: number;
  /** `navigator.deviceMemory` in GiB, where the browser tells. */
  deviceMemory: number | undefined;
}

export function surroundings(): Surroundings {
  const { gpu, deviceMemory, hardwareConcurrency } = navigator as Navigator & {
    deviceMemory?: number;
  };
  return {
    gpu,
    secureContext: globalThis.isSecureContext,
    crossOriginIsolated: globalThis.crossOriginIsolated,
    webassembly: wasmFeatures(globalThis.crossOriginIsolated),
    cores: hardwareConcurrency,
    deviceMemory,
  };
}

export interface Wishes {
  backend: Backend | null;
  variant: string | null;
  context: number;
  /** Variants that the last attempt to load on crashed. */
  crashed: string[];
}

export interface DeviceCheck {
  report: CapabilityReport;
  /** The usable variants that were wished for, in the order to try them. */
  order: string[];
}

export async function checkDevice(
  manifest: Manifest,
  wishes: Wishes,
  here: Surroundings = surroundings(),
): Promise<DeviceCheck> {
  const adapter = here.secureContext ? await findAdapter(here.gpu) : null;
  const report: CapabilityReport = {
    secureContext: here.secureContext,
    crossOriginIsolated: here.crossOriginIsolated,
    adapter: adapter && describe(adapter.info),
    features: adapter ? [...adapter.features].sort() : [],
    limits: adapter ? readLimits(adapter.limits) : {},
    webassembly: here.webassembly,
    cores: here.cores,
    rungs: [],
    chosen: null,
  };
  report.rungs = Object.entries(manifest.variants).map(([name, variant]) =>
    judge(name, variant, report, wishes.context, here),
  );
  const order = trialOrder(report, wishes);
  report.chosen = order[0] ?? null;
  return { report, order };
}

/** Null where there is none. */
export async function findAdapter(gpu: Surroundings["gpu"]): Promise<GPUAdapter | null> {
  const asked = gpu?.requestAdapter({ powerPreference: "high-performance" });
  return (await asked?.catch(() => null)) ?? null;
}

function describe(info: GPUAdapterInfo): NonNullable<CapabilityReport["adapter"]> {
  const { vendor, architecture, description } = info;
  return { vendor, architecture, description, fallback: info.isFallbackAdapter ?? false };
}

function readLimits(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  // Limits are getters on the prototype: Object.keys would see none of them.
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") found[name] = value;
  }
  return found;
}
