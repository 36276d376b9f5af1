/** Keeps work going when the backend under it fails: opened anew, or one rung lower. */

import type { Backend } from "../backends/backend";
import type { ErrorCode, Remark, WebkilnError } from "./api";
import { aborted, asWebkilnError, isLoss, isRungFault } from "./errors";
import type { Footing, Ladder } from "./rungs";

// A rung that fails twice within this time will not hold, even if no answer saw both failures.
const PATIENCE_MS = 60_000;

const CAUSES: Partial<Record<ErrorCode, string>> = {
  "device-lost": "The graphics device was lost",
  "out-of-memory": "The device ran out of memory",
  "gpu-validation": "WebGPU refused to go on",
  "kernel-fault": "A kernel stopped with a fault",
};

interface Loss {
  variant: string;
  fault: WebkilnError;
  at: number;
}

/** `W` is what works on a backend, and starts afresh on a new one. */
export class Recovery<W> {
  /** Null between a loss and its repair. */
  private worker: W | null;
  private loss: Loss | null = null;
  /** Why nothing can be done any more. */
  private end: WebkilnError | null = null;

  constructor(
    private readonly ladder: Ladder,
    private current: Footing,
    private readonly make: (backend: Backend) => W,
    /** Work goes on; why and how, in a plain sentence. */
    private readonly onRecovered: (remark: Remark) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.worker = make(current.backend);
  }

  /** What work stands on, or stood on last. */
  get footing(): Footing {
    return this.current;
  }

  /**
   * Runs `work`; after a loss it is called again, with a worker that knows nothing yet. Throws
   * `aborted` when the signal ends a repair, the loss when no rung is left, other errors at once.
   */
  async run<T>(signal: AbortSignal, work: (worker: W) => Promise<T>): Promise<T> {
    let failed: string | null = null; // the rung that this very work saw fail
    for (;;) {
      const worker = await this.standing(signal);
      try {
        return await work(worker);
      } catch (error) {
        const fault = asWebkilnError(error);
        if (!isLoss(fault)) throw fault;
        this.lose(fault, failed);
        failed = this.current.variant;
      }
    }
  }

  dispose(): void {
    if (this.worker !== null) this.current.backend.dispose();
  }

  private lose(fault: WebkilnError, failedBefore: string | null): void {
    const { variant, backend } = this.current;
    const before = this.loss;
    this.worker = null;
    this.loss = { variant, fault, at: this.now() };
    backend.dispose();
    const soon = before?.variant === variant && this.loss.at - before.at < PATIENCE_MS;
    if (!soon && failedBefore !== variant) return;
    try {
      // Other kernels may do where these went wrong, but hardly on a device that gave up.
      if (fault.code === "gpu-validation") this.ladder.drop(fault);
      else this.ladder.leaveDevice(fault);
    } catch (error) {
      throw this.noted(error);
    }
  }

  private async standing(signal: AbortSignal): Promise<W> {
    if (this.end !== null) throw this.end;
    if (this.worker !== null) return this.worker;
    if (signal.aborted) throw aborted();
    try {
      this.current = await this.ladder.climb(signal);
    } catch (error) {
      throw this.noted(error);
    }
    this.worker = this.make(this.current.backend);
    this.onRecovered(this.remark());
    return this.worker;
  }

  /** A fault of a rung comes through the ladder only when it was the last. */
  private noted(error: unknown): WebkilnError {
    const fault = asWebkilnError(error);
    if (isRungFault(fault)) this.end = fault;
    return fault;
  }

  private remark(): Remark {
    const { variant, kind: backend } = this.current;
    const error = this.loss?.fault.code ?? "internal";
    const moved = variant !== this.loss?.variant;
    const name = backend === "wasm" ? "WebAssembly" : "WebGPU";
    const how = moved ? `with ${variant} on ${name}` : "after reloading";
    const note = `${CAUSES[error] ?? "The model stopped"}; the answer went on ${how}.`;
    return { code: "recovered", note, error, moved, variant, backend };
  }
}
