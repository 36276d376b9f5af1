/** From a model's name to a running engine: the check, the download, and trying again. */

import { type Engine, type EngineModule, importEngine, type Progress } from "./engine";
import type { Model } from "./models";
import type { Query } from "./query";
import { local } from "./storage";

const STORE = "webkiln.loaded";

export class Loader {
  engine: Engine | null = null;
  private module: EngineModule | null = null;
  private running: AbortController | null = null;

  constructor(
    private readonly model: Model,
    private readonly query: Query,
  ) {}

  /** Whether this browser has loaded this very build before, so that it is most likely cached. */
  get known(): boolean {
    return local.read(STORE) === this.model.integrity;
  }

  async check() {
    const { checkDevice } = await this.imported();
    const { report } = await checkDevice(this.options());
    return report;
  }

  /** Ends what ran before, and loads anew. */
  async load(onProgress: (progress: Progress) => void): Promise<Engine> {
    await this.dispose();
    const { createEngine } = await this.imported();
    const controller = new AbortController();
    this.running = controller;
    try {
      const options = { ...this.options(), onProgress, signal: controller.signal };
      this.engine = await createEngine(options);
      local.write(STORE, this.model.integrity);
      return this.engine;
    } finally {
      this.running = null;
    }
  }

  cancel(): void {
    this.running?.abort();
  }

  async dispose(): Promise<void> {
    const { engine } = this;
    this.engine = null;
    // After a lost device or worker there may be nothing left to end.
    await engine?.dispose().catch(() => undefined);
  }

  private options() {
    const { variant, context } = this.query;
    return {
      model: new URL(this.model.url, document.baseURI).href,
      integrity: this.model.integrity,
      ...(variant === undefined ? {} : { variant }),
      ...(context === undefined ? {} : { context }),
    };
  }

  private async imported(): Promise<EngineModule> {
    this.module ??= await importEngine();
    return this.module;
  }
}
