/** What this browser keeps of models, and what can be done about it. */

import { FORMAT, type Manifest, type Variant } from "../plan";
import { type Found, readKept } from "./bundle";
import { type Kept, openKept } from "./cache";
import { estimate } from "./estimate";
import type { Bytes } from "./files";
import { parseManifest } from "./manifest";
import { markKept } from "./marks";
import { filesOf, keptOf, type Program, sizeOf } from "./needs";
import type { StorageUse, StoredModel } from "./stored";

/** The models of which something is kept here; nothing is fetched. */
export async function storedModels(): Promise<StoredModel[]> {
  const kept = await openKept();
  if (kept === null) return [];
  const [manifests, sizes] = await Promise.all([keptManifests(kept), kept.files.sizes()]);
  return [...manifests].flatMap(([hash, bytes]) => {
    const manifest = parsed(bytes);
    const model = manifest && describe(hash, manifest, sizes);
    return model && model.kept > 0 ? model : [];
  });
}

/** Deletes what no other model needs; bytes that this gave back. */
export async function deleteModel(integrity: string): Promise<number> {
  const kept = await openKept();
  if (kept === null) return 0;
  markKept(integrity, false);
  const hash = integrity.replace(/^sha256-/, "");
  const own = hashesIn((await kept.manifests.read(hash)) ?? new Uint8Array());
  await kept.manifests.remove(hash);
  const needed = new Set([...(await keptManifests(kept)).values()].flatMap(hashesIn));
  const sizes = await kept.files.sizes();
  // Files of models that are long gone go as well, and so do parts of this one's.
  const unneeded = [...new Set([...own, ...sizes.keys()])].filter((each) => !needed.has(each));
  await Promise.all(unneeded.map((each) => kept.files.remove(each)));
  return unneeded.reduce((sum, each) => sum + (sizes.get(each) ?? 0), 0);
}

/** Every hash that a manifest names; those of newer versions need not be understood. */
function hashesIn(manifest: Bytes): string[] {
  return new TextDecoder().decode(manifest).match(/[0-9a-f]{64}/g) ?? [];
}

/** Space used and free. */
export async function storageUse(): Promise<StorageUse> {
  const kept = await openKept();
  const sizes = (await kept?.files.sizes()) ?? new Map<string, number>();
  const { usage = null, quota = null } = await estimate();
  return {
    models: [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0),
    used: usage,
    free: quota === null || usage === null ? null : Math.max(quota - usage, 0),
    persisted: (await navigator.storage?.persisted?.().catch(() => null)) ?? null,
  };
}

/** Asks the browser not to clear this site's storage when space runs short; whether it agrees. */
export async function persistStorage(): Promise<boolean> {
  return (await navigator.storage?.persist?.().catch(() => false)) ?? false;
}

/** By their hash. What is damaged, or of an older version, is of no use and removed. */
async function keptManifests({ manifests }: Kept): Promise<Map<string, Bytes>> {
  const found = new Map<string, Bytes>();
  for (const hash of (await manifests.sizes()).keys()) {
    const bytes = await readKept(manifests, hash);
    if (bytes && !isOld(bytes)) found.set(hash, bytes);
    else await manifests.remove(hash).catch(() => {});
  }
  return found;
}

function isOld(bytes: Bytes): boolean {
  const { format } = JSON.parse(new TextDecoder().decode(bytes)) as { format: number };
  return format < FORMAT;
}

/** Null for a manifest of a newer version, which another tab may use. */
function parsed(bytes: Bytes): Manifest | null {
  try {
    return parseManifest(bytes);
  } catch {
    return null;
  }
}

/** Of one variant, or of the one that is nearest to complete: the one that ran here. */
export async function storedModel(
  { manifest, hash }: Found,
  variant?: string,
): Promise<StoredModel> {
  const sizes = (await (await openKept())?.files.sizes(hashesOf(manifest))) ?? new Map();
  return describe(hash ?? "", manifest, sizes, variant);
}

function describe(
  hash: string,
  manifest: Manifest,
  sizes: Map<string, number>,
  variant?: string,
): StoredModel {
  const { variants } = manifest;
  const chosen = variant === undefined ? undefined : variants[variant];
  const ways = (chosen ? [chosen] : Object.values(variants)).flatMap(programs).map((program) => {
    const files = filesOf(manifest, program);
    const total = sizeOf(manifest, files);
    return { total, missing: total - keptOf(manifest, files, sizes) };
  });
  const { total, missing } = ways.reduce((a, b) => (b.missing < a.missing ? b : a));
  const kept = keptOf(manifest, Object.keys(manifest.files), sizes);
  return { name: manifest.name, integrity: `sha256-${hash}`, total, missing, kept };
}

function programs(variant: Variant): Program[] {
  return [variant, ...Object.values(variant.tuned)];
}

function hashesOf({ files }: Manifest): string[] {
  return Object.values(files).map(({ sha256 }) => sha256);
}
