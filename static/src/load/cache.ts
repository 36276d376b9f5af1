/** Files kept between visits, by content hash: models that share a file share its copy. */

export interface FileCache {
  /** The stored bytes, or null. They are not trusted: the caller checks the hash. */
  read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Throws when the file could not be kept (a full disk, above all). */
  write(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(sha256: string): Promise<void>;
}

const CACHE_NAME = "webkiln-files-1";

class StorageCache implements FileCache {
  constructor(private readonly cache: Cache) {}

  async read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const response = await this.cache.match(address(sha256));
    return response === undefined ? null : new Uint8Array(await response.arrayBuffer());
  }

  async write(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.cache.put(address(sha256), new Response(bytes));
  }

  async remove(sha256: string): Promise<void> {
    await this.cache.delete(address(sha256));
  }
}

/** Cache Storage wants addresses; this one is never requested. */
function address(sha256: string): string {
  return new URL(`/.webkiln/${sha256}`, self.location.origin).href;
}

/** Null where the browser has no Cache Storage or keeps it shut (some private windows). */
export async function openCache(): Promise<FileCache | null> {
  if (!("caches" in globalThis)) return null;
  try {
    return new StorageCache(await caches.open(CACHE_NAME));
  } catch {
    return null;
  }
}
