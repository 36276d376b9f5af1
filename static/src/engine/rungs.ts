/** The capability ladder: the rungs that may still do, tried from the top. */

import type { Backend } from "../backends/backend";
import { allReasons } from "../device/choose";
import type { LoadOutcome } from "../device/crash";
import { addReason } from "../device/judge";
import type { CapabilityReport, Backend as Kind, Rung } from "./api";
import { WebkilnError } from "./api";
import { aborted, asWebkilnError, isRungFault } from "./errors";

/** A rung that holds: a backend with the model's weights in it. */
export interface Footing {
  variant: string;
  kind: Kind;
  threads: number;
  /** Vendor whose tuned kernels it runs. */
  tuned: string | null;
  backend: Backend;
}

/** Hears of every attempt, so that one that takes the tab down leaves a trace. */
export interface Lookout {
  /** Resolves when the attempt has been noted. */
  loading(variant: string): Promise<void>;
  loaded(outcome: LoadOutcome): void;
}

export class Ladder {
  constructor(
    readonly report: CapabilityReport,
    /** The report's rungs that the caller's wishes allow. */
    private readonly asked: Rung[],
    /** Variants still to be tried; the first is the one in use once there is one. */
    private order: string[],
    private readonly open: (variant: string, signal: AbortSignal) => Promise<Footing>,
    private readonly lookout: Lookout,
  ) {}

  /**
   * The first rung that holds; those that do not are dropped. Throws what is no rung's fault (the
   * network, an abort) at once, and an error with all rungs' reasons when none is left.
   */
  async climb(signal: AbortSignal): Promise<Footing> {
    for (;;) {
      const variant = this.order[0] as string; // `drop` throws before it is empty
      try {
        return await this.attempt(variant, signal);
      } catch (error) {
        if (signal.aborted) throw aborted();
        const fault = asWebkilnError(error);
        if (!isRungFault(fault)) throw fault;
        // On the same device, variants further down take as much memory or more.
        if (fault.code === "out-of-memory") this.leaveDevice(fault);
        else this.drop(fault);
      }
    }
  }

  /** The rung in use does not hold: it is not tried again. Throws when it was the last. */
  drop(fault: WebkilnError): void {
    this.refuse(this.order.slice(0, 1), fault);
  }

  /** The same, and nor does any other on the graphics device if the rung in use is on it. */
  leaveDevice(fault: WebkilnError): void {
    const { rungs } = this.report;
    const onDevice = (variant: string | undefined) =>
      rungs.some((rung) => rung.variant === variant && rung.backend === "webgpu");
    const [current] = this.order;
    const others = this.order.slice(1).filter((variant) => onDevice(current) && onDevice(variant));
    this.refuse([...this.order.slice(0, 1), ...others], fault);
  }

  private refuse(variants: string[], fault: WebkilnError): void {
    const { report } = this;
    for (const rung of report.rungs) {
      if (!variants.includes(rung.variant)) continue;
      rung.usable = false;
      addReason(rung, { code: "fault", error: fault.code }, fault.message);
    }
    this.order = this.order.filter((variant) => !variants.includes(variant));
    report.chosen = this.order[0] ?? null;
    if (report.chosen === null) throw nothingLeft(this.asked, fault);
  }

  private async attempt(variant: string, signal: AbortSignal): Promise<Footing> {
    await this.lookout.loading(variant);
    try {
      const footing = await this.open(variant, signal);
      this.lookout.loaded("works");
      return footing;
    } catch (error) {
      // The browser survives the end of its graphics process, but it is a crash all the same.
      const crashed = asWebkilnError(error).code === "device-lost";
      this.lookout.loaded(crashed ? "crashed" : "failed");
      throw error;
    }
  }
}

function nothingLeft(asked: Rung[], last: WebkilnError): WebkilnError {
  if (asked.length === 1) return last;
  return new WebkilnError(last.code, allReasons(asked), last.hint);
}
