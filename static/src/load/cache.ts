/** What stays in the browser between visits, by content hash: models that share a file share it. */

import type { Bytes } from "./files";
import { OpfsCache } from "./opfs";
import { StorageCache } from "./storage-cache";

export interface FileCache {
  /** The stored bytes, or null. They are not trusted: the caller checks the hash. */
  read(sha256: string): Promise<Bytes | null>;
  /**
   * Keeps a file; nobody ever sees a part of it under its hash. Throws when it could not be kept
   * (a full disk, above all).
   */
  write(sha256: string, bytes: Bytes): Promise<void>;
  remove(sha256: string): Promise<void>;
  /** Bytes of each of these files that is here; of all files without `wanted`. */
  sizes(wanted?: Iterable<string>): Promise<Map<string, number>>;
}

/** Files of bundles, and the manifests that name them. */
export interface Kept {
  files: FileCache;
  manifests: FileCache;
}

const FOLDERS = { files: ["webkiln", "files"], manifests: ["webkiln", "manifests"] };
const CACHES = { files: "webkiln-files-2", manifests: "webkiln-manifests-1" };
/** Of versions before OPFS: what lies there is not read any more, and given back. */
const OLD_CACHE = "webkiln-files-1";

/**
 * The origin's private file system, or Cache Storage where a browser has none or keeps it shut
 * (Firefox's private windows), or null where that is shut as well.
 */
export async function openKept(): Promise<Kept | null> {
  const kept = (await openOpfs()) ?? (await openCacheStorage());
  void globalThis.caches?.delete(OLD_CACHE).catch(() => false);
  return kept;
}

async function openOpfs(): Promise<Kept | null> {
  const files = new OpfsCache(FOLDERS.files);
  try {
    await files.open();
    return { files, manifests: new OpfsCache(FOLDERS.manifests) };
  } catch {
    return null;
  }
}

async function openCacheStorage(): Promise<Kept | null> {
  try {
    const [files, manifests] = await Promise.all(
      [CACHES.files, CACHES.manifests].map((name) => caches.open(name)),
    );
    if (!files || !manifests) return null;
    return { files: new StorageCache(files), manifests: new StorageCache(manifests) };
  } catch {
    return null;
  }
}
