/** Files in Cache Storage. */

import type { FileCache } from "./cache";
import type { Bytes } from "./files";

export class StorageCache implements FileCache {
  constructor(private readonly cache: Cache) {}

  async read(sha256: string): Promise<Bytes | null> {
    const response = await this.cache.match(address(sha256));
    return response === undefined ? null : new Uint8Array(await response.arrayBuffer());
  }

  async write(sha256: string, bytes: Bytes): Promise<void> {
    const headers = { "Content-Length": String(bytes.length) }; // so that sizes need no reading
    await this.cache.put(address(sha256), new Response(bytes, { headers }));
  }

  async remove(sha256: string): Promise<void> {
    await this.cache.delete(address(sha256));
  }

  async sizes(wanted?: Iterable<string>): Promise<Map<string, number>> {
    const names = wanted ?? (await this.cache.keys()).map(({ url }) => url.split("/").at(-1) ?? "");
    const found = [...new Set(names)].map(async (name): Promise<[string, number][]> => {
      const response = await this.cache.match(address(name));
      return response ? [[name, Number(response.headers.get("Content-Length"))]] : [];
    });
    return new Map((await Promise.all(found)).flat());
  }
}

/** Cache Storage wants addresses; this one is never requested. */
function address(sha256: string): string {
  return new URL(`/.webkiln/${sha256}`, self.location.origin).href;
}
