/** From a model's name to a running engine: the check, the download, and trying again. */

import {
  type CapabilityReport,
  type Download,
  type Engine,
  type EngineInfo,
  type EngineModule,
  importEngine,
  type Progress,
} from "./engine";
import type { Model } from "./models";
import { ledger } from "./privacy/ledger";
import { local } from "./storage";
import { toWay, type Wish } from "./wish";

const STORE = "webkiln.loaded";

/** A model that was deleted is not loaded without being asked for. */
export function forget(integrity: string): void {
  if (local.read(STORE) === integrity) local.write(STORE, "");
}

export interface LoadEvents {
  onProgress(progress: Progress): void;
  onChange(info: EngineInfo): void;
}

export class Loader {
  engine: Engine | null = null;
  /** What the last check found; null before the first. */
  report: CapabilityReport | null = null;
  private checkedFor = "";
  private module: EngineModule | null = null;
  private running: Download | null = null;
  /** Ends when the load under way does, however it ends. */
  private loading: Promise<unknown> = Promise.resolve();
  private ending = new AbortController();

  constructor(
    readonly model: Model,
    private readonly context: number | undefined,
  ) {}

  /** Whether this browser has loaded this very build before, so that it is most likely cached. */
  get known(): boolean {
    return local.read(STORE) === this.model.integrity;
  }

  async check(wish: Wish): Promise<CapabilityReport> {
    const { checkDevice } = await this.imported();
    const options = this.options(wish);
    const { report } = await checkDevice(options);
    this.report = report;
    this.checkedFor = JSON.stringify(options);
    return report;
  }

  /** Whether the last check was made for this wish. */
  isChecked(wish: Wish): boolean {
    return JSON.stringify(this.options(wish)) === this.checkedFor;
  }

  /** Ends what ran before, and loads anew. */
  load(wish: Wish, events: LoadEvents): Promise<Engine> {
    this.ending = new AbortController();
    const loading = this.loadAnew(wish, events, this.ending.signal);
    this.loading = loading.catch(() => {});
    return loading;
  }

  private async loadAnew(wish: Wish, events: LoadEvents, signal: AbortSignal): Promise<Engine> {
    await this.dispose();
    const { createEngine, Download } = await this.imported();
    const download = new Download();
    this.running = download;
    try {
      const options = this.options(wish);
      this.engine = await createEngine({
        ...options,
        ...events,
        onRequests: (requests) => ledger.add(requests),
        ...{ download, signal },
      });
      local.write(STORE, this.model.integrity);
      return this.engine;
    } finally {
      this.running = null;
    }
  }

  cancel(): void {
    this.ending.abort();
  }

  /** Ends a load under way; resolves when nothing comes of it any more. */
  async abandon(): Promise<void> {
    this.cancel();
    await this.loading;
  }

  /** Pauses the download, or lets it go on; whether it is paused now. */
  togglePause(): boolean {
    const { running } = this;
    if (running?.paused) running.resume();
    else running?.pause();
    return running?.paused ?? false;
  }

  /** Bytes that would be fetched over a connection that may cost; 0 where none would. */
  async costs(wish: Wish): Promise<number> {
    const { connection, storedModel } = await this.imported();
    if (!connection().metered) return 0;
    return (await storedModel(this.options(wish))).missing;
  }

  async dispose(): Promise<void> {
    const { engine } = this;
    this.engine = null;
    // After a lost device or worker there may be nothing left to end.
    await engine?.dispose().catch(() => undefined);
  }

  private options(wish: Wish) {
    const [model, ...mirrors] = this.model.urls;
    return {
      model: new URL(model, document.baseURI).href,
      mirrors: mirrors.map((url) => new URL(url, document.baseURI).href),
      integrity: this.model.integrity,
      ...(this.context === undefined ? {} : { context: this.context }),
      ...toWay(wish),
    };
  }

  private async imported(): Promise<EngineModule> {
    this.module ??= await importEngine();
    return this.module;
  }
}
