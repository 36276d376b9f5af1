/** What this device can run, from the manifest alone: before anything large is fetched. */

import type { Backend, CapabilityReport, Rung } from "../engine/api";
import { WebkilnError } from "../engine/api";
import { formatBytes } from "../engine/errors";
import { badRequest } from "../engine/requests";
import type { Manifest, Variant } from "../plan";
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
}

export interface DeviceCheck {
  report: CapabilityReport;
  /** The adapter the report describes; null where there is none. */
  adapter: GPUAdapter | null;
}

const INSECURE =
  "the page was opened over plain http, where browsers offer neither WebGPU nor storage";
const NO_WEBGPU = "this browser does not offer WebGPU, or it is switched off";
// Also what Chrome reports when WebGPU or hardware acceleration is switched off.
const NO_ADAPTER =
  "WebGPU found no usable graphics adapter: there is none, or it is blocked or switched off";

export async function checkDevice(
  manifest: Manifest,
  wishes: Wishes,
  here: Surroundings = surroundings(),
): Promise<DeviceCheck> {
  const usableGpu = here.secureContext ? here.gpu : undefined;
  const adapter =
    (await usableGpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null)) ??
    null;
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
  const general = !here.secureContext
    ? INSECURE
    : !here.gpu
      ? NO_WEBGPU
      : !adapter
        ? NO_ADAPTER
        : null;
  report.rungs = Object.entries(manifest.variants).map(([name, variant]) =>
    judge(name, variant, report, general, wishes.context, here.deviceMemory),
  );
  report.chosen = pick(report, wishes);
  return { report, adapter };
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

function judge(
  name: string,
  variant: Variant,
  report: CapabilityReport,
  general: string | null,
  context: number,
  deviceMemory: number | undefined,
): Rung {
  const rung: Rung = { variant: name, backend: variant.backend, usable: false, reasons: [] };
  if (!report.secureContext) rung.reasons.push(INSECURE);
  else if (variant.backend === "wasm") {
    rung.reasons.push("this version has no WebAssembly backend yet");
  } else if (general !== null) rung.reasons.push(general);
  else rung.reasons.push(...unmet(variant, report));
  rung.usable = rung.reasons.length === 0;
  if (rung.usable) rung.reasons.push(...caveats(variant, report, context, deviceMemory));
  return rung;
}

function unmet(variant: Variant, report: CapabilityReport): string[] {
  const reasons = variant.requires.features
    .filter((feature) => !report.features.includes(feature))
    .map((feature) => `the graphics adapter lacks the feature ${feature}`);
  for (const [limit, needed] of Object.entries(variant.requires.limits)) {
    const offered = report.limits[limit];
    if (offered === undefined) reasons.push(`the browser does not know the limit ${limit}`);
    // Alignments are the limits where smaller is better.
    else if (limit.endsWith("Alignment") ? offered > needed : offered < needed) {
      reasons.push(`the model needs ${limit} of ${needed}; this device offers ${offered}`);
    }
  }
  return reasons;
}

function caveats(
  variant: Variant,
  report: CapabilityReport,
  context: number,
  deviceMemory: number | undefined,
): string[] {
  const reasons: string[] = [];
  if (report.adapter?.fallback) {
    reasons.push("the graphics adapter is emulated in software: it works, but slowly");
  }
  const { weights, scratch, state_base, state_per_token } = variant.memory;
  const needed = weights + scratch + state_base + context * state_per_token;
  if (deviceMemory !== undefined && needed > deviceMemory * 2 ** 30 * 0.75) {
    reasons.push(
      `it takes about ${formatBytes(needed)}, much of the ${deviceMemory} GiB this device has: ` +
        "it may run out of memory",
    );
  }
  return reasons;
}

function pick(report: CapabilityReport, wishes: Wishes): string | null {
  const usable = report.rungs.filter(
    (rung) =>
      rung.usable &&
      (wishes.backend === null || rung.backend === wishes.backend) &&
      (wishes.variant === null || rung.variant === wishes.variant),
  );
  // An emulated adapter is the slowest way there is: anything else first.
  const ahead = report.adapter?.fallback
    ? usable.find((rung) => rung.backend !== "webgpu")
    : undefined;
  return (ahead ?? usable[0])?.variant ?? null;
}

/** The chosen variant's name, or an error that gives every refused rung's reasons. */
export function requireChoice(report: CapabilityReport, wishes: Wishes): string {
  const { rungs } = report;
  if (wishes.variant !== null && !rungs.some((rung) => rung.variant === wishes.variant)) {
    const names = rungs.map((rung) => rung.variant).join(", ");
    throw badRequest("variant", wishes.variant, `one this model was compiled for: ${names}`);
  }
  if (report.chosen !== null) return report.chosen;
  const asked = rungs.filter(
    (rung) =>
      (wishes.variant === null || rung.variant === wishes.variant) &&
      (wishes.backend === null || rung.backend === wishes.backend),
  );
  const reasons = asked.map(
    (rung) => `${rung.variant}: ${rung.reasons.join("; ") || "not asked for"}`,
  );
  const message =
    reasons.length > 0
      ? `this device cannot run the model. ${reasons.join(". ")}`
      : `the model was not compiled for the backend ${wishes.backend}`;
  throw new WebkilnError(...diagnose(report, message));
}

function diagnose(
  report: CapabilityReport,
  message: string,
): ConstructorParameters<typeof WebkilnError> {
  if (!report.secureContext) {
    return ["insecure-context", message, "Open the page over https, or on localhost."];
  }
  const reasons = report.rungs.flatMap((rung) => rung.reasons);
  if (reasons.includes(NO_WEBGPU)) {
    return [
      "webgpu-unavailable",
      message,
      "Use a recent Chrome, Edge, Firefox or Safari, and switch WebGPU on in its settings.",
    ];
  }
  if (reasons.includes(NO_ADAPTER)) {
    return [
      "no-adapter",
      message,
      "Switch on hardware acceleration in the browser's settings and update the graphics driver.",
    ];
  }
  return [
    "device-too-small",
    message,
    "Choose a smaller model, or open the page on another device.",
  ];
}
