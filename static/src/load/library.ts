/** What this browser keeps of models, and what can be done about it. */

import { WebkilnError } from "../engine/api";
import type { Manifest, Variant } from "../plan";
import type { Found } from "./bundle";
import { type Kept, openKept } from "./cache";
import { estimate } from "./estimate";
import type { Bytes } from "./files";
import { sha256 } from "./hash";
import { parseManifest } from "./manifest";
import { markKept } from "./marks";
import { filesOf, keptOf, type Program, sizeOf } from "./needs";
import type { StorageUse, StoredModel } from "./stored";

/** The models of which something is kept here; nothing is fetched. */
export async function storedModels(): Promise<StoredModel[]> {
  const kept = await openKept();
  if (kept === null) return [];
  const [manifests, sizes] = await Promise.all([keptManifests(kept), kept.files.sizes()]);
  return [...manifests]
    .map(([hash, bytes]) => {
      const manifest = parsed(bytes);
      return manifest ? describe(hash, manifest, sizes) : unread(hash, bytes, sizes);
    })
    .filter(({ kept }) => kept > 0);
}

/**
 * Deletes what no other model needs; bytes that this gave back. What another tab is writing at the
 * moment stays, until the next deletion. Nothing is deleted where a manifest cannot be read: its
 * model's files would count as nobody's.
 */
export async function deleteModel(integrity: string): Promise<number> {
  const kept = await openKept();
  if (kept === null) return 0;
  const hash = integrity.replace(/^sha256-/, "");
  const manifests = await keptManifests(kept);
  const own = hashesIn(manifests.get(hash) ?? new Uint8Array());
  manifests.delete(hash);
  const needed = new Set([...manifests.values()].flatMap(hashesIn));
  const sizes = await kept.files.sizes();
  markKept(integrity, false);
  await kept.manifests.remove(hash);
  // Files of models that are long gone go as well, and so do parts of this one's.
  const unneeded = [...new Set([...own, ...sizes.keys()])].filter((each) => !needed.has(each));
  const freed = unneeded.map(async (each) => {
    const gone = await kept.files.remove(each).then(
      () => true,
      () => false,
    );
    return gone ? (sizes.get(each) ?? 0) : 0;
  });
  return (await Promise.all(freed)).reduce((sum, bytes) => sum + bytes, 0);
}

/** Every hash that a manifest names; those of other formats need not be understood. */
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

/**
 * By their hash, those of other formats too: tabs of another version of this site may run them, and
 * other sites of this origin. What is damaged is of no use and removed.
 */
async function keptManifests({ manifests }: Kept): Promise<Map<string, Bytes>> {
  const found = new Map<string, Bytes>();
  for (const hash of (await manifests.sizes()).keys()) {
    const bytes = await manifests.read(hash).catch((error) => {
      throw unreadable(error);
    });
    if (bytes === null) continue;
    if ((await sha256(bytes)) === hash) found.set(hash, bytes);
    else await manifests.remove(hash).catch(() => {});
  }
  return found;
}

function unreadable(error: unknown): WebkilnError {
  return new WebkilnError(
    "storage",
    `a model's manifest that this browser keeps could not be read (${error})`,
    "Nothing was changed. Reload the page and try again.",
  );
}

/** Null for a manifest of another format. */
function parsed(bytes: Bytes): Manifest | null {
  try {
    return parseManifest(bytes);
  } catch {
    return null;
  }
}

/** A model of another format: what is kept of it, whole or not, is all that can be said. */
function unread(hash: string, bytes: Bytes, sizes: Map<string, number>): StoredModel {
  const { name } = JSON.parse(new TextDecoder().decode(bytes)) as { name?: unknown };
  const files = new Set(hashesIn(bytes));
  const kept = [...files].reduce((sum, each) => sum + (sizes.get(each) ?? 0), 0);
  const called = typeof name === "string" ? name : hash.slice(0, 8);
  return { name: called, integrity: `sha256-${hash}`, total: kept, missing: 0, kept };
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
