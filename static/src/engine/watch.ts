/** What the page keeps of an engine: how it runs, what is worth knowing the next time. */

import type { CrashMarker, LoadOutcome } from "../device/crash";
import type { EngineInfo, EngineOptions, Progress, Usage } from "./api";
import type { Chronicle } from "./chronicle";
import type { ClientEvents } from "./client";
import type { CallName } from "./protocol";
import type { RequestRecord } from "./traffic";

const COMPUTING: CallName[] = ["chat", "generate", "evaluate", "embed"];

export class Watch implements ClientEvents {
  /** Null until the engine is ready. */
  info: EngineInfo | null = null;

  constructor(
    private readonly options: Pick<EngineOptions, "onProgress" | "onChange" | "onRequests">,
    private readonly marker: Pick<CrashMarker, "begin" | "end" | "crashed">,
    private readonly chronicle: Pick<Chronicle, "trying" | "runs" | "failed" | "answered">,
    /** Remembers whether the model is kept whole. */
    private readonly onKept: (whole: boolean) => void = () => {},
  ) {}

  progress(progress: Progress): void {
    this.options.onProgress?.(progress);
  }

  loading(variant: string): void {
    this.marker.begin(variant);
    this.chronicle.trying(variant);
  }

  loaded(outcome: LoadOutcome): void {
    this.marker.end(outcome);
  }

  /** The engine is there. */
  ready(info: EngineInfo): void {
    this.info = info;
    this.chronicle.runs(info);
  }

  /** There will be none. */
  failed(error: unknown): void {
    this.loaded("failed");
    this.chronicle.failed(error);
  }

  /** An answer came to its end. */
  answered(usage: Usage): void {
    if (this.info !== null) this.chronicle.answered(this.info, usage);
  }

  change(info: EngineInfo): void {
    this.ready(info);
    this.options.onChange?.(info);
  }

  kept(whole: boolean): void {
    this.onKept(whole);
  }

  requests(requests: RequestRecord[]): void {
    this.options.onRequests?.(requests);
  }

  lost(calls: CallName[]): void {
    this.marker.end("crashed");
    const computing = calls.some((call) => COMPUTING.includes(call));
    if (this.info !== null && computing) this.marker.crashed(this.info.variant);
  }
}
