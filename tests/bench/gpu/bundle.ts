/** A bundle's manifest, plans and kernels, from a folder that need not hold its weights. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bytes } from "../../../static/src/load/files";
import { parseManifest, parsePlan, variantFor } from "../../../static/src/load/manifest";
import type { Manifest, Plan, Variant } from "../../../static/src/plan";

export interface Bundle {
  folder: string;
  manifest: Manifest;
}

/** One variant of a bundle, ready to be opened. */
export interface Program {
  manifest: Manifest;
  name: string;
  variant: Variant;
  plan: Plan;
  kernels: Bytes;
}

export async function openBundle(folder: string): Promise<Bundle> {
  return { folder, manifest: parseManifest(await readFile(join(folder, "manifest.json"))) };
}

/** The variant as the engine would run it on adapters of `vendor`. */
export async function openProgram(
  { folder, manifest }: Bundle,
  name: string,
  vendor: string,
): Promise<Program> {
  if (manifest.variants[name] === undefined) throw new Error(`${folder} has no variant ${name}`);
  const variant = variantFor(manifest, name, vendor);
  const plan = parsePlan(await readFile(join(folder, variant.plan)), variant.plan, manifest);
  const kernels = new Uint8Array(await readFile(join(folder, variant.kernels)));
  return { manifest, name, variant, plan, kernels };
}
