/** Verified files of a bundle, from this browser's store or the network. */

import type { Remark } from "../engine/api";
import { aborted, formatBytes } from "../engine/errors";
import type { FileEntry } from "../plan";
import type { FileCache } from "./cache";
import { FileDownload, type Line, persevere, type Wanted } from "./download";
import { estimate } from "./estimate";
import type { Gate } from "./gate";
import { sha256 } from "./hash";
import { alone } from "./locks";

export type Bytes = Uint8Array<ArrayBuffer>;

export const MAX_IN_FLIGHT = 4;

export interface FileSource extends Line {
  files: Record<string, FileEntry>;
  cache: FileCache | null;
  gate: Gate;
  /** Told what a person should know, such as that nothing could be kept. */
  remark(remark: Remark): void;
}

export class FileStore {
  private active = 0;
  private readonly waiting: (() => void)[] = [];
  /** Nothing more is kept once the browser refused to. */
  private refused = false;
  private damaged = 0;
  /** Bytes of files that are kept, of those asked for. */
  private stored = 0;

  constructor(private readonly source: FileSource) {}

  /** Whether everything that was asked for is kept now. */
  get keeps(): boolean {
    return this.source.cache !== null && !this.refused;
  }

  /** Bytes of each of the bundle's files that is kept already, by its hash. */
  async sizes(): Promise<Map<string, number>> {
    const hashes = Object.values(this.source.files).map(({ sha256 }) => sha256);
    return (await this.source.cache?.sizes(hashes).catch(() => null)) ?? new Map();
  }

  /** The file's bytes, hash checked. At most four calls make progress at a time. */
  async get(name: string, signal: AbortSignal): Promise<Bytes> {
    if (this.active >= MAX_IN_FLIGHT) await new Promise<void>((go) => this.waiting.push(go));
    else this.active += 1;
    try {
      if (signal.aborted) throw aborted();
      const entry = this.entry(name);
      return (await this.look(entry)) ?? (await this.fetch(name, entry, signal));
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

  /** The file as it is kept, or null; `mend` deletes one that is damaged. */
  private async look(entry: FileEntry, mend = false): Promise<Bytes | null> {
    const { cache, meter } = this.source;
    const bytes = (await cache?.read(entry.sha256).catch(() => null)) ?? null;
    if (cache === null || bytes === null) return null;
    if ((await sha256(bytes)) === entry.sha256) {
      meter.addCached(entry.bytes);
      this.stored += entry.bytes;
      return bytes;
    }
    if (mend) await this.forget(cache, entry);
    return null;
  }

  /** Damaged on disk: or every visit would stumble over it. */
  private async forget(cache: FileCache, { sha256 }: FileEntry): Promise<void> {
    await cache.remove(sha256).catch(() => {});
    this.damaged += 1;
    if (this.damaged > 1) return;
    const note = "Some of what this browser had kept of the model was damaged";
    this.source.remark({ code: "damaged", note: `${note}; it was downloaded again.` });
  }

  private async fetch(name: string, entry: FileEntry, signal: AbortSignal): Promise<Bytes> {
    const download = new FileDownload(this.source, this.wanted(name, entry));
    try {
      return await persevere(this.source, signal, () => this.inTurn(entry, download, signal));
    } catch (error) {
      download.giveUp();
      throw error;
    }
  }

  /** Null when the gate closed: other tabs may have the file in the meantime. */
  private inTurn(
    entry: FileEntry,
    download: FileDownload,
    signal: AbortSignal,
  ): Promise<Bytes | null> {
    const work = async (): Promise<Bytes | null> => {
      const kept = await this.look(entry, true);
      if (kept === null) return this.load(download, entry, signal);
      download.giveUp();
      return kept;
    };
    if (!this.keeps) return work();
    const onWait = (): (() => void) => this.source.meter.wait("tab");
    return alone(`webkiln-file-${entry.sha256}`, signal, onWait, work);
  }

  private async load(
    download: FileDownload,
    entry: FileEntry,
    signal: AbortSignal,
  ): Promise<Bytes | null> {
    const bytes = await download.run(signal);
    if (bytes !== null) await this.keep(entry, bytes);
    return bytes;
  }

  private wanted(name: string, { bytes, sha256: hash }: FileEntry): Wanted {
    return {
      path: name,
      bytes,
      label: {
        name,
        file: name,
        wrong: `${name} arrived twice with other content than the manifest promises`,
        ifWrong: "The copy on the server is damaged or incomplete: upload the bundle again.",
        ifMissing: "The bundle is incomplete on the server: upload it again.",
      },
      // What is kept here need not lie in the browser's own cache as well.
      cache: this.keeps ? "no-store" : "default",
      isRight: async (bytes) => (await sha256(bytes)) === hash,
    };
  }

  private async keep(entry: FileEntry, bytes: Bytes): Promise<void> {
    const { cache, remark, meter } = this.source;
    if (cache === null || this.refused) return;
    try {
      await cache.write(entry.sha256, bytes);
      this.stored += entry.bytes;
    } catch (error) {
      // A full disk must not stop someone whose memory suffices; the next visit downloads again.
      if (this.refused) return;
      this.refused = true;
      remark(await refusal(error, Math.max(meter.expected - this.stored, entry.bytes)));
    }
  }
}

/** Why nothing more is kept, what that means, and what to do about it. */
async function refusal(error: unknown, needed: number): Promise<Remark> {
  const name = error instanceof DOMException ? error.name : String(error);
  const again = "The model runs all the same, but the next visit will download the rest again.";
  if (name !== "QuotaExceededError") {
    const note = `The browser did not keep the model's files (${name}). ${again}`;
    return { code: "not-stored", note };
  }
  const { usage, quota } = await estimate();
  const free = usage === undefined || quota === undefined ? null : Math.max(quota - usage, 0);
  const room = free === null ? "" : `: ${formatBytes(free)} are free for this site`;
  const note =
    `There is no room to keep this model${room}, and ${formatBytes(needed)} more were needed. ` +
    `${again} Free some space on the disk, or delete a model that you do not need.`;
  return { code: "no-room", note, free, needed };
}
