/** One rung of the ladder, opened: plan and kernels, a backend, its self-test, the weights. */

import type { Backend } from "../backends/backend";
import type { Crew } from "../backends/wasm-helpers";
import { defaultThreads } from "../backends/wasm-threads";
import { findAdapter } from "../device/check";
import { NO_ADAPTER } from "../device/judge";
import { selfTest } from "../device/selftest";
import type { Bytes, FileStore } from "../load/files";
import { badBundle, parsePlan, variantFor } from "../load/manifest";
import type { ProgressMeter } from "../load/progress";
import { loadWeights, shardPieces } from "../load/weights";
import type { Manifest, Plan, Variant } from "../plan";
import { type CapabilityReport, type ErrorCode, type Remark, WebkilnError } from "./api";
import { asWebkilnError, partOf } from "./errors";
import { addRemark } from "./remarks";
import type { Footing } from "./rungs";
import { together } from "./together";

/** What stays the same whichever rung is opened, however often. */
export interface Ground {
  manifest: Manifest;
  report: CapabilityReport;
  store: FileStore;
  meter: ProgressMeter;
  context: number;
  /** What a person should know. */
  notes: string[];
  remarks: Remark[];
  /** At most; null: what suits the device. */
  threads: number | null;
  /** Whether kernels tuned for the adapter's vendor may run. */
  tuned: boolean;
  crew: Crew;
}

/** The vendor whose tuned kernels will be asked for, as far as the capability check knows. */
export function expectedVendor({ report, tuned }: Ground): string | undefined {
  return tuned ? report.adapter?.vendor : undefined;
}

/** With kernels tuned for the adapter's vendor, if they hold, else with those for any device. */
export async function openRung(
  ground: Ground,
  name: string,
  signal: AbortSignal,
): Promise<Footing> {
  const { manifest, tuned } = ground;
  const base = variantFor(manifest, name);
  if (base.backend === "wasm") return openWith(ground, name, null, wasm(), signal);
  const adapter = await newAdapter(ground);
  const vendor = tuned && base.tuned[adapter.info.vendor] ? adapter.info.vendor : null;
  try {
    return await openWith(ground, name, vendor, webGpu(adapter), signal);
  } catch (error) {
    const fault = asWebkilnError(error);
    if (vendor === null || signal.aborted || !KERNEL_FAULTS.includes(fault.code)) throw error;
    const note = `Kernels tuned for ${vendor} do not hold here (${fault.message}).`;
    addRemark(ground, { code: "tuned-refused", note, vendor });
    return openWith(ground, name, null, webGpu(await newAdapter(ground)), signal);
  }
}

type Open = (
  ground: Ground,
  variant: Variant,
  plan: Plan,
  kernels: Bytes,
  threads: number,
) => Promise<Backend>;

// What other kernels on the same device may do without.
const KERNEL_FAULTS: ErrorCode[] = ["wrong-answer", "gpu-validation", "internal"];

async function openWith(
  ground: Ground,
  name: string,
  tuned: string | null,
  opener: Promise<Open>,
  signal: AbortSignal,
): Promise<Footing> {
  const { manifest, store } = ground;
  const variant = variantFor(manifest, name, tuned ?? undefined);
  const [open, text, kernels] = await together(signal, (signal) => [
    opener,
    store.get(variant.plan, signal),
    store.get(variant.kernels, signal),
  ]);
  const plan = parsePlan(text, variant.plan, manifest);
  checkKernelSpans(plan, variant.kernels, kernels.length);
  const threads = threadCount(ground, variant);
  const backend = await open(ground, variant, plan, kernels, threads);
  try {
    await selfTest(backend, plan, variant.selftest);
    await fill(ground, plan, backend, signal);
    return { variant: name, kind: variant.backend, threads, tuned, backend };
  } catch (error) {
    backend.dispose();
    throw error;
  }
}

/** Weights arrive while kernels compile. */
async function fill(
  { manifest, store, meter }: Ground,
  plan: Plan,
  backend: Backend,
  signal: AbortSignal,
): Promise<void> {
  meter.setPipelineTotal(plan.kernels.length);
  await together(signal, (signal) => [
    backend.prepare(() => {
      // Kernels of a rung that is given up go on compiling for a while.
      if (!signal.aborted) meter.addPipeline();
    }),
    loadWeights(shardPieces(manifest, plan), store, backend, signal).then(() =>
      meter.setPhase("compile"),
    ),
  ]);
}

function threadCount({ threads, report }: Ground, variant: Variant): number {
  if (!variant.requires.features.includes("threads")) return 1;
  return threads ?? defaultThreads(report.cores);
}

// A visitor needs one of the backends: the other one's scripts are not fetched.

async function wasm(): Promise<Open> {
  const { WasmBackend } = await partOf(import("../backends/wasm"));
  return ({ context, crew }, { requires }, plan, kernels, threads) =>
    WasmBackend.open(kernels, plan, context, threads, requires.features, crew);
}

async function webGpu(adapter: GPUAdapter): Promise<Open> {
  const { WebGpuBackend } = await partOf(import("../backends/webgpu"));
  return ({ context }, variant, plan, kernels) =>
    WebGpuBackend.open(adapter, variant, plan, kernels, context);
}

/** A device uses its adapter up, so every attempt asks for one of its own. */
async function newAdapter({ report }: Ground): Promise<GPUAdapter> {
  const adapter = await findAdapter(navigator.gpu);
  if (adapter === null) throw noAdapter(NO_ADAPTER);
  if (adapter.info.isFallbackAdapter && report.adapter?.fallback === false) {
    throw noAdapter("the graphics adapter is gone; what is left is emulated in software");
  }
  return adapter;
}

function noAdapter(message: string): WebkilnError {
  return new WebkilnError("no-adapter", message, "Restart the browser, then load the model again.");
}

function checkKernelSpans(plan: Plan, file: string, bytes: number): void {
  const beyond = plan.kernels.find((kernel) => kernel.offset + kernel.bytes > bytes);
  if (beyond) throw badBundle(file, `kernel ${beyond.name} lies beyond its end`);
}
