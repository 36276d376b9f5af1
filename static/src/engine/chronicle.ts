/** What one engine adds to the history of this device. */

import { History } from "../device/history";
import type { EngineInfo, Usage } from "./api";
import { asWebkilnError } from "./errors";

export class Chronicle {
  private tried = "";

  constructor(
    /** The manifest's hash or address. */
    private readonly model: string,
    /** As asked for; 0: the model's own. */
    private readonly context: number,
    private readonly history: Pick<History, "answered" | "ranOutOfMemory"> = new History(),
  ) {}

  /** The load of `variant` begins. */
  trying(variant: string): void {
    this.tried = variant;
  }

  /** It runs, perhaps on a lower rung for lack of memory. */
  runs({ report, context }: EngineInfo): void {
    for (const { variant, causes } of report.rungs) {
      const full = causes.some((cause) => cause.code === "fault" && cause.error === FULL);
      if (full) this.ranOut(variant, context);
    }
  }

  /** It does not load at all. */
  failed(error: unknown): void {
    if (this.tried !== "" && asWebkilnError(error).code === FULL) {
      this.ranOut(this.tried, this.context);
    }
  }

  answered({ variant, context }: EngineInfo, usage: Usage): void {
    this.history.answered({ model: this.model, variant }, context, usage);
  }

  private ranOut(variant: string, context: number): void {
    this.history.ranOutOfMemory({ model: this.model, variant }, context);
  }
}

const FULL = "out-of-memory";
