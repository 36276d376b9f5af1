/**
 * `make bench-gpu`: the engine's WebGPU backend under Node, on the graphics card.
 *
 * `node bench.mjs [options] [FOLDER...]`. A folder is a bundle: its manifest, plans and kernels are
 * enough, its weights are not read. Without one, the bundles in `models/` beside this program.
 */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkDevice, findAdapter, type Surroundings } from "../../../static/src/device/check";
import type { Rung } from "../../../static/src/engine/api";
import type { Manifest, Plan } from "../../../static/src/plan";
import { measureBandwidth } from "./bandwidth";
import { type Bundle, openBundle, openProgram } from "./bundle";
import { dawnVersion, openDawn } from "./dawn";
import { chosenLengths, folders as named, output, variants } from "./options";
import { measureProfiles, type ProfileRequest } from "./profile";
import {
  type AdapterReport,
  adapterName,
  type Conditions,
  markdown,
  type Report,
  type VariantReport,
  variantReport,
  writeReport,
} from "./report";
import { type Lengths, measureSpeed } from "./speed";

const MODELS = fileURLToPath(new URL("models/", import.meta.url));
const EMULATED_BYTES = 512e6; // of weights: above that, software takes minutes a token
const NO_GPU =
  "WebGPU finds no adapter. Linux needs the card's Vulkan driver and the loader libvulkan.so.1. " +
  "Debian's chromium has an adapter in software: LD_LIBRARY_PATH=/usr/lib/chromium " +
  "VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json";

async function main(): Promise<void> {
  const gpu = openDawn();
  const here: Surroundings = {
    gpu,
    secureContext: true,
    crossOriginIsolated: false,
    webassembly: [],
    cores: 1,
    deviceMemory: undefined,
  };
  const bundles = await Promise.all((await folders()).map(openBundle));
  const adapter = await describe(bundles, here);
  const conditions = await measureConditions(gpu, adapter);
  const report: Report = { ...conditions, variants: [], skipped: [] };
  for (const bundle of bundles) await measureBundle(bundle, here, report);
  console.log(`\n${markdown(report)}`);
}

async function folders(): Promise<string[]> {
  if (named.length > 0) return named;
  const names = existsSync(MODELS) ? await readdir(MODELS) : [];
  if (names.length === 0) throw new Error(`no bundle was named, and ${MODELS} holds none`);
  return names.sort().map((name) => join(MODELS, name));
}

async function describe([bundle]: Bundle[], here: Surroundings): Promise<AdapterReport> {
  if (bundle === undefined) throw new Error("there is no bundle to measure");
  const { report } = await check(bundle.manifest, here, 0);
  if (report.adapter === null) throw new Error(NO_GPU);
  return report.adapter;
}

function check(manifest: Manifest, here: Surroundings, context: number) {
  return checkDevice(manifest, { backend: "webgpu", variant: null, context, crashed: [] }, here);
}

async function measureConditions(gpu: GPU, adapter: AdapterReport): Promise<Conditions> {
  console.log(`measuring the memory of ${adapterName(adapter)}`);
  return {
    date: new Date().toISOString().slice(0, 10),
    adapter,
    node: process.versions.node,
    dawn: await dawnVersion(),
    bandwidth: await measureBandwidth(await adapterOf(gpu)),
  };
}

/** A device uses its adapter up, so each asks for one of its own. */
async function adapterOf(gpu: GPU): Promise<GPUAdapter> {
  const adapter = await findAdapter(gpu);
  if (adapter === null) throw new Error(NO_GPU);
  return adapter;
}

async function measureBundle(bundle: Bundle, here: Surroundings, report: Report): Promise<void> {
  const { manifest } = bundle;
  const lengths = chosenLengths(manifest, report.adapter.fallback);
  const { rungs } = (await check(manifest, here, lengths.context)).report;
  for (const rung of rungs.filter(isWanted)) {
    const name = `${manifest.name}, ${rung.variant}`;
    const refusal = refused(rung, manifest, report.adapter);
    if (refusal !== null) {
      report.skipped.push(`${name}: ${refusal}`);
      continue;
    }
    console.log(`measuring ${name}`);
    report.variants.push(await measureVariant(bundle, rung.variant, here, lengths, report));
    // At once: a lent machine may be gone before the last model is done.
    if (output) console.log(`written to ${await writeReport(output, report)}`);
  }
}

function isWanted({ backend, variant }: Rung): boolean {
  return backend === "webgpu" && (variants?.includes(variant) ?? true);
}

function refused(rung: Rung, manifest: Manifest, { fallback }: AdapterReport): string | null {
  if (!rung.usable) return rung.reasons.join("; ");
  const bytes = manifest.variants[rung.variant]?.memory.weights ?? 0;
  if (fallback && bytes > EMULATED_BYTES && named.length === 0) {
    return "too large for an adapter emulated in software, unless it is named";
  }
  return null;
}

async function measureVariant(
  bundle: Bundle,
  name: string,
  { gpu }: Surroundings,
  lengths: Lengths,
  { bandwidth, adapter: { vendor } }: Conditions,
): Promise<VariantReport> {
  const program = await openProgram(bundle, name, vendor);
  const speed = await measureSpeed(await adapterOf(gpu as GPU), program, lengths);
  const requests: ProfileRequest[] = [
    ...lengths.prompts.map((position) => ({ function: "decode", position })),
    { function: prefillName(program.plan.functions), position: 0 },
  ];
  const { context, rounds } = lengths;
  const adapter = await adapterOf(gpu as GPU);
  const profiles = await measureProfiles(adapter, program, context, requests, rounds);
  return variantReport(program, lengths, speed, profiles, bandwidth);
}

function prefillName(functions: Plan["functions"]): string {
  const name = Object.keys(functions).find((each) => each.startsWith("prefill_"));
  if (name === undefined) throw new Error("the plan has no prefill function");
  return name;
}

main().then(
  // Dawn's threads would keep the process.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
