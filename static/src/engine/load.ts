/** From a manifest's address to a Session, the whole way on one screen. */

import { WebGpuBackend } from "../backends/webgpu";
import { checkDevice, requireChoice } from "../device/check";
import { fetchManifest } from "../load/bundle";
import { openCache } from "../load/cache";
import { FileStore } from "../load/files";
import { badBundle, parsePlan } from "../load/manifest";
import { ProgressMeter } from "../load/progress";
import { loadWeights, shardPieces } from "../load/weights";
import type { Manifest, Plan, Variant } from "../plan";
import { type Progress, WebkilnError } from "./api";
import { chooseContext } from "./context";
import type { LoadOptions } from "./protocol";
import { Session } from "./session";
import { TextCodec } from "./tokenizer";

export async function loadSession(
  options: LoadOptions,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Session> {
  requireSecureContext();
  const meter = new ProgressMeter(onProgress);
  meter.setPhase("manifest");
  const manifest = await fetchManifest(options.manifest, options.integrity, signal);
  const context = chooseContext(manifest, options.context);
  const wishes = { backend: options.backend, variant: options.variant, context };
  const { report, adapter } = await checkDevice(manifest, wishes);
  const name = requireChoice(report, wishes);
  const variant = manifest.variants[name] as Variant;
  const notes: string[] = [];
  const cache = await openCache();
  const base = options.manifest;
  const store = new FileStore({ base, files: manifest.files, cache, meter, signal, notes });
  meter.setTotal(totalBytes(manifest, variant));
  meter.setPhase("download");
  const plan = parsePlan(await store.get(variant.plan), variant.plan, manifest);
  const parts = { manifest, variant, plan, adapter, context, store, meter };
  const [backend, codec] = await loadParts(parts);
  const info = {
    model: manifest.name,
    variant: name,
    backend: variant.backend,
    threads: 1,
    context,
    vocabulary: manifest.vocabulary,
    notes: [...manifest.notes, ...notes],
    report,
  };
  meter.setPhase("ready");
  return new Session(info, manifest, codec, backend);
}

interface Parts {
  manifest: Manifest;
  variant: Variant;
  plan: Plan;
  adapter: GPUAdapter | null;
  context: number;
  store: FileStore;
  meter: ProgressMeter;
}

/** Weights, kernels and tokenizer arrive side by side. */
async function loadParts(parts: Parts): Promise<[WebGpuBackend, TextCodec]> {
  const { manifest, variant, plan, context, store, meter } = parts;
  const kernels = await store.get(variant.kernels);
  checkKernelSpans(plan, variant.kernels, kernels.length);
  const adapter = parts.adapter as GPUAdapter; // a chosen WebGPU rung has one
  const backend = await WebGpuBackend.open(adapter, variant, plan, kernels, context);
  meter.setPipelineTotal(plan.kernels.length);
  const weights = loadWeights(shardPieces(manifest, plan), store, backend).then(() =>
    meter.setPhase("compile"),
  );
  try {
    const prepared = backend.prepare(() => meter.addPipeline());
    const [codec] = await Promise.all([loadCodec(manifest, store), prepared, weights]);
    return [backend, codec];
  } catch (error) {
    backend.dispose();
    throw error;
  }
}

function checkKernelSpans(plan: Plan, file: string, bytes: number): void {
  const beyond = plan.kernels.find((kernel) => kernel.offset + kernel.bytes > bytes);
  if (beyond) throw badBundle(file, `kernel ${beyond.name} lies beyond its end`);
}

async function loadCodec(manifest: Manifest, store: FileStore): Promise<TextCodec> {
  const parts = await Promise.all(manifest.tokenizer.model.map((file) => store.get(file)));
  const config = await store.get(manifest.tokenizer.config);
  const model = await new Blob(parts).text();
  return new TextCodec(
    parseJson(model, "tokenizer.json"),
    parseJson(new TextDecoder().decode(config), manifest.tokenizer.config),
  );
}

function parseJson(text: string, file: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw badBundle(file, "this is not JSON");
  }
}

/** Bytes of every file the variant needs, each counted once. */
function totalBytes(manifest: Manifest, variant: Variant): number {
  const names = new Set([
    variant.plan,
    variant.kernels,
    ...manifest.tokenizer.model,
    manifest.tokenizer.config,
  ]);
  for (const tensor of Object.values(manifest.tensors)) {
    for (const span of tensor.shards) names.add(span.file);
  }
  return [...names].reduce((sum, name) => sum + (manifest.files[name]?.bytes ?? 0), 0);
}

/** Without one there is neither WebGPU nor hashing: nothing below could work. */
function requireSecureContext(): void {
  if (globalThis.isSecureContext) return;
  throw new WebkilnError(
    "insecure-context",
    "the page was opened over plain http, where browsers offer neither WebGPU nor storage",
    "Open the page over https, or on localhost.",
  );
}
