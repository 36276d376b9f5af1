/** One rung of the ladder, opened: plan and kernels, a backend, its self-test, the weights. */

import type { Backend } from "../backends/backend";
import { WasmBackend } from "../backends/wasm";
import type { Crew } from "../backends/wasm-helpers";
import { defaultThreads } from "../backends/wasm-threads";
import { WebGpuBackend } from "../backends/webgpu";
import { findAdapter } from "../device/check";
import { NO_ADAPTER } from "../device/judge";
import { selfTest } from "../device/selftest";
import type { Bytes, FileStore } from "../load/files";
import { badBundle, parsePlan, variantFor } from "../load/manifest";
import type { ProgressMeter } from "../load/progress";
import { loadWeights, shardPieces } from "../load/weights";
import type { Manifest, Plan, Variant } from "../plan";
import { type CapabilityReport, WebkilnError } from "./api";
import type { Footing } from "./rungs";
import { together } from "./together";

/** What stays the same whichever rung is opened, however often. */
export interface Ground {
  manifest: Manifest;
  report: CapabilityReport;
  store: FileStore;
  meter: ProgressMeter;
  context: number;
  /** At most; null: what suits the device. */
  threads: number | null;
  crew: Crew;
}

export async function openRung(
  ground: Ground,
  name: string,
  signal: AbortSignal,
): Promise<Footing> {
  const { manifest, store } = ground;
  const variant = variantFor(manifest, name, ground.report.adapter?.vendor);
  const plan = parsePlan(await store.get(variant.plan, signal), variant.plan, manifest);
  const kernels = await store.get(variant.kernels, signal);
  checkKernelSpans(plan, variant.kernels, kernels.length);
  const threads = threadCount(ground, variant);
  const backend =
    variant.backend === "wasm"
      ? await openWasm(ground, variant, plan, kernels, threads)
      : await openWebGpu(ground, variant, plan, kernels);
  try {
    await selfTest(backend, plan, variant.selftest);
    await fill(ground, plan, backend, signal);
    return { variant: name, kind: variant.backend, threads, backend };
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

function openWasm(
  { context, crew }: Ground,
  { requires }: Variant,
  plan: Plan,
  kernels: Bytes,
  threads: number,
): Promise<Backend> {
  return WasmBackend.open(kernels, plan, context, threads, requires.features, crew);
}

async function openWebGpu(
  { report, context }: Ground,
  variant: Variant,
  plan: Plan,
  kernels: Bytes,
): Promise<Backend> {
  // A device uses its adapter up, so every attempt asks for one of its own.
  const adapter = await findAdapter(navigator.gpu);
  if (adapter === null) throw noAdapter(NO_ADAPTER);
  if (adapter.info.isFallbackAdapter && report.adapter?.fallback === false) {
    throw noAdapter("the graphics adapter is gone; what is left is emulated in software");
  }
  return WebGpuBackend.open(adapter, variant, plan, kernels, context);
}

function noAdapter(message: string): WebkilnError {
  return new WebkilnError("no-adapter", message, "Restart the browser, then load the model again.");
}

function checkKernelSpans(plan: Plan, file: string, bytes: number): void {
  const beyond = plan.kernels.find((kernel) => kernel.offset + kernel.bytes > bytes);
  if (beyond) throw badBundle(file, `kernel ${beyond.name} lies beyond its end`);
}
