/**
 * The versions of a site that are kept: a cache each, named by the SHA-256 of its app.json.
 *
 * workbox-precaching does not fit here. Its list has to be known as the program starts, where ours
 * is data that app.json brings and the hash of which is the version; and it has one cache for all
 * versions and empties it of the others as soon as a new one takes over, where ours have to stay
 * for as long as a tab runs them.
 */

import { keptFiles, parseList, type SiteList } from "./files";
import { LIST, lockName } from "./protocol";

export class Versions {
  private readonly prefix: string;

  constructor(
    readonly scope: string,
    /** The version whose page is served. */
    readonly app: string,
  ) {
    // Addresses hold no spaces, so no scope's prefix is that of another's.
    this.prefix = cachePrefix(scope);
  }

  /** A kept file of this version; assets, whose names tell versions apart, of any version. */
  async find(path: string): Promise<Response | undefined> {
    try {
      const own = await this.match(this.prefix + this.app, path);
      if (own || !path.startsWith("assets/")) return own;
      for (const name of await this.names()) {
        const found = await this.match(name, path);
        if (found) return found;
      }
    } catch {
      // The browser keeps its caches shut: there is still the network.
    }
    return undefined;
  }

  async open(): Promise<Cache> {
    return caches.open(this.prefix + this.app);
  }

  async forget(): Promise<void> {
    await caches.delete(this.prefix + this.app);
  }

  /** Whether every file of this version is here: people and browsers delete, too. */
  async isWhole(): Promise<boolean> {
    try {
      const name = this.prefix + this.app;
      const list = await this.list(name);
      if (!list) return false;
      const found = keptFiles(list).map(([path]) => this.match(name, path));
      return (await Promise.all(found)).every((file) => file !== undefined);
    } catch {
      return false;
    }
  }

  /** Deletes the versions that no tab runs; `others` are being installed or about to take over. */
  async clean(others: string[]): Promise<void> {
    const needed = new Set([this.app, ...others].map((app) => this.prefix + app));
    const { held = [] } = await navigator.locks.query();
    const locks = new Set(held.map(({ name }) => name));
    for (const name of await this.names()) {
      if (needed.has(name)) continue;
      const version = (await this.list(name))?.version ?? "";
      if (!locks.has(lockName(this.scope, version))) await caches.delete(name);
    }
  }

  /** The key of a file in its cache. */
  address(path: string): string {
    return new URL(path, this.scope).href;
  }

  private async names(): Promise<string[]> {
    return (await caches.keys()).filter((name) => name.startsWith(this.prefix));
  }

  /** Never makes a cache, as opening it would: another worker may just have deleted it. */
  private match(cacheName: string, path: string): Promise<Response | undefined> {
    return caches.match(this.address(path), { cacheName });
  }

  /** The list that a version was kept by; it is written last, so a broken-off one has none. */
  private async list(name: string): Promise<SiteList | null> {
    const kept = await this.match(name, LIST);
    return kept ? parseList(await kept.text()) : null;
  }
}

export function cachePrefix(scope: string): string {
  return `webkiln ${scope} `;
}
