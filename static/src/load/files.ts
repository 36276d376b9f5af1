/** Verified files of a bundle, from the cache or the network. */

import { WebkilnError } from "../engine/api";
import { aborted, formatBytes } from "../engine/errors";
import type { FileEntry } from "../plan";
import type { FileCache } from "./cache";
import type { ProgressMeter } from "./progress";

export type Bytes = Uint8Array<ArrayBuffer>;

export const MAX_IN_FLIGHT = 4;
const TRIES = 3;
const BACKOFF_MS = 500; // doubled after each failure

export interface FileSource {
  /** Address that file names are relative to. */
  base: string;
  files: Record<string, FileEntry>;
  cache: FileCache | null;
  meter: ProgressMeter;
  /** What a person should know, such as that nothing could be cached. */
  notes: string[];
  backoffMs?: number;
}

export async function sha256(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface FetchInit {
  cache: RequestCache;
  signal: AbortSignal;
}

/** Worth another try: the network failed or the server said so. */
class Transient extends Error {}

export class FileStore {
  private active = 0;
  private readonly waiting: (() => void)[] = [];
  private cacheFull = false;

  constructor(private readonly source: FileSource) {}

  /** The file's bytes, hash checked. At most four calls make progress at a time. */
  async get(name: string, signal: AbortSignal): Promise<Bytes> {
    if (this.active >= MAX_IN_FLIGHT) await new Promise<void>((go) => this.waiting.push(go));
    else this.active += 1;
    try {
      if (signal.aborted) throw aborted();
      const entry = this.entry(name);
      return (await this.fromCache(entry)) ?? (await this.fromNetwork(name, entry, signal));
    } finally {
      // A waiting call takes over this one's place, so the count stays.
      const next = this.waiting.shift();
      if (next) next();
      else this.active -= 1;
    }
  }

  private entry(name: string): FileEntry {
    const entry = Object.hasOwn(this.source.files, name) ? this.source.files[name] : undefined;
    if (entry === undefined) throw new Error(`${name} is not a file of this bundle`);
    return entry;
  }

  private async fromCache(entry: FileEntry): Promise<Bytes | null> {
    const { cache, meter } = this.source;
    if (cache === null) return null;
    const bytes = await cache.read(entry.sha256).catch(() => null);
    if (bytes === null) return null;
    if ((await sha256(bytes)) === entry.sha256) {
      meter.addCached(entry.bytes);
      return bytes;
    }
    // Damaged on disk: forget it, or every visit would stumble over it.
    await cache.remove(entry.sha256).catch(() => {});
    return null;
  }

  private async fromNetwork(name: string, entry: FileEntry, signal: AbortSignal): Promise<Bytes> {
    // The browser's own HTTP cache may hold the damaged copy: the second time goes around it.
    for (const mode of ["default", "reload"] as const) {
      const bytes = await this.download(name, entry, { cache: mode, signal });
      if (bytes.length === entry.bytes && (await sha256(bytes)) === entry.sha256) {
        await this.keep(entry, bytes);
        return bytes;
      }
      this.source.meter.addNetwork(-bytes.length);
    }
    throw new WebkilnError(
      "integrity",
      `${name} arrived twice with other content than the manifest promises`,
      "The copy on the server is damaged or incomplete: upload the bundle again.",
      { file: name },
    );
  }

  private async keep(entry: FileEntry, bytes: Bytes): Promise<void> {
    if (this.source.cache === null || this.cacheFull) return;
    try {
      await this.source.cache.write(entry.sha256, bytes);
    } catch {
      // A full disk must not stop someone whose memory suffices; the next visit downloads again.
      this.cacheFull = true;
      this.source.notes.push(
        `There is no room to keep this model (${formatBytes(entry.bytes)} more were needed), so ` +
          "the next visit will download it again.",
      );
    }
  }

  private async download(name: string, entry: FileEntry, init: FetchInit): Promise<Bytes> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(name, entry, init);
      } catch (error) {
        if (init.signal.aborted) throw aborted();
        if (!(error instanceof Transient)) throw error;
        if (attempt === TRIES) throw unreachable(name, error.message);
        await pause((this.source.backoffMs ?? BACKOFF_MS) * 2 ** (attempt - 1));
      }
    }
  }

  private async attempt(name: string, entry: FileEntry, init: FetchInit): Promise<Bytes> {
    const response = await fetch(new URL(name, this.source.base), init).catch((error) => {
      throw new Transient(String(error));
    });
    if (response.status >= 500 || response.status === 429) {
      throw new Transient(`the server answered ${response.status}`);
    }
    if (!response.ok || response.body === null) {
      throw new WebkilnError(
        "network",
        `${name}: the server answered ${response.status}`,
        "The bundle is incomplete on the server: upload it again.",
        { file: name, status: response.status },
      );
    }
    return this.receive(response.body, entry.bytes);
  }

  /** The body, cut off after `expected + 1` bytes: a wrong length fails the check all the same. */
  private async receive(body: ReadableStream<Bytes>, expected: number): Promise<Bytes> {
    const bytes = new Uint8Array(expected + 1);
    const reader = body.getReader();
    let length = 0;
    try {
      while (length <= expected) {
        const { done, value } = await reader.read();
        if (done) break;
        const part = value.subarray(0, bytes.length - length);
        bytes.set(part, length);
        length += part.length;
        this.source.meter.addNetwork(part.length);
      }
    } catch (error) {
      this.source.meter.addNetwork(-length);
      throw new Transient(String(error));
    }
    if (length > expected) void reader.cancel();
    return bytes.subarray(0, length);
  }
}

function unreachable(name: string, cause: string): WebkilnError {
  return new WebkilnError(
    "network",
    `${name} could not be fetched in ${TRIES} tries: ${cause}`,
    "Check the connection and reload; what has arrived is kept.",
    { file: name },
  );
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
