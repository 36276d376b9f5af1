/** What the page keeps of an engine: how it runs, and the mark that its crash would leave. */

import type { CrashMarker, LoadOutcome } from "../device/crash";
import type { EngineInfo, EngineOptions, Progress } from "./api";
import type { ClientEvents } from "./client";
import type { CallName } from "./protocol";

const COMPUTING: CallName[] = ["chat", "generate", "evaluate", "embed"];

export class Watch implements ClientEvents {
  /** Null until the engine is ready. */
  info: EngineInfo | null = null;

  constructor(
    private readonly options: Pick<EngineOptions, "onProgress" | "onChange">,
    private readonly marker: Pick<CrashMarker, "begin" | "end" | "crashed">,
  ) {}

  progress(progress: Progress): void {
    this.options.onProgress?.(progress);
  }

  loading(variant: string): void {
    this.marker.begin(variant);
  }

  loaded(outcome: LoadOutcome): void {
    this.marker.end(outcome);
  }

  change(info: EngineInfo): void {
    this.info = info;
    this.options.onChange?.(info);
  }

  lost(calls: CallName[]): void {
    this.marker.end("crashed");
    const computing = calls.some((call) => COMPUTING.includes(call));
    if (this.info !== null && computing) this.marker.crashed(this.info.variant);
  }
}
