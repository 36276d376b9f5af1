/** Keeps work going when the backend under it fails: opened anew, or one rung lower. */

import type { ErrorCode, WebkilnError } from "./api";
import { aborted, asWebkilnError, isLoss, isRungFault } from "./errors";
import { Generator } from "./generate";
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

export class Recovery {
  /** Null between a loss and its repair. */
  private generator: Generator | null;
  private loss: Loss | null = null;
  /** Why nothing can be done any more. */
  private end: WebkilnError | null = null;

  constructor(
    private readonly ladder: Ladder,
    private current: Footing,
    private readonly vocabulary: number,
    /** Work goes on; why and how, in a plain sentence. */
    private readonly onRecovered: (note: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.generator = new Generator(current.backend, vocabulary);
  }

  /** What work stands on, or stood on last. */
  get footing(): Footing {
    return this.current;
  }

  /**
   * Runs `work`; after a loss it is called again, with a generator whose KV cache is empty. Throws
   * `aborted` when the signal ends a repair, the loss when no rung is left, other errors at once.
   */
  async run<T>(signal: AbortSignal, work: (generator: Generator) => Promise<T>): Promise<T> {
    let failed: string | null = null; // the rung that this very work saw fail
    for (;;) {
      const generator = await this.standing(signal);
      try {
        return await work(generator);
      } catch (error) {
        const fault = asWebkilnError(error);
        if (!isLoss(fault)) throw fault;
        this.lose(fault, failed);
        failed = this.current.variant;
      }
    }
  }

  dispose(): void {
    if (this.generator !== null) this.current.backend.dispose();
  }

  private lose(fault: WebkilnError, failedBefore: string | null): void {
    const { variant, backend } = this.current;
    const before = this.loss;
    this.generator = null;
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

  private async standing(signal: AbortSignal): Promise<Generator> {
    if (this.end !== null) throw this.end;
    if (this.generator !== null) return this.generator;
    if (signal.aborted) throw aborted();
    try {
      this.current = await this.ladder.climb(signal);
    } catch (error) {
      throw this.noted(error);
    }
    this.generator = new Generator(this.current.backend, this.vocabulary);
    this.onRecovered(this.note());
    return this.generator;
  }

  /** A fault of a rung comes through the ladder only when it was the last. */
  private noted(error: unknown): WebkilnError {
    const fault = asWebkilnError(error);
    if (isRungFault(fault)) this.end = fault;
    return fault;
  }

  private note(): string {
    const { variant, kind } = this.current;
    const cause = (this.loss && CAUSES[this.loss.fault.code]) ?? "The model stopped";
    if (variant === this.loss?.variant) return `${cause}; the answer went on after reloading.`;
    const name = kind === "wasm" ? "WebAssembly" : "WebGPU";
    return `${cause}; the answer went on with ${variant} on ${name}.`;
  }
}
