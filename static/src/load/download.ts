/** Files over the network, from whichever mirror has them: tried again, resumed, checked. */

import { aborted } from "../engine/errors";
import type { Bytes } from "./files";
import type { Gate } from "./gate";
import type { Attempt, Attempts, Label, Mirrors } from "./mirrors";
import type { ProgressMeter } from "./progress";
import { sleep } from "./retry";
import { Failure, Transfer } from "./transfer";

/** What the download of any file needs. */
export interface Line {
  mirrors: Mirrors;
  meter: ProgressMeter;
  /** Null: whoever asks does not wait for the network to come back. */
  gate: Gate | null;
  /** For tests. */
  backoffMs?: number;
  stallMs?: number;
}

export interface Wanted {
  /** Relative to a mirror's base. */
  path: string;
  /** Null: not known beforehand. */
  bytes: number | null;
  label: Label;
  cache: RequestCache;
  isRight(bytes: Bytes): Promise<boolean>;
}

/** One file's download, which may be interrupted and taken up again. */
export class FileDownload {
  private readonly transfer: Transfer;
  private readonly attempts: Attempts;

  constructor(
    private readonly line: Line,
    private readonly wanted: Wanted,
  ) {
    this.transfer = new Transfer(wanted.bytes, line.meter, line.stallMs);
    this.attempts = line.mirrors.attempts(wanted.label, line.backoffMs);
  }

  /** The file; null when the gate closed, which may be passed and this called again. */
  async run(signal: AbortSignal): Promise<Bytes | null> {
    const { gate } = this.line;
    const scope = gate ? AbortSignal.any([signal, gate.pauses]) : signal;
    while (!gate?.reason && !scope.aborted) {
      const attempt = this.attempts.next();
      if (await this.waited(attempt.delayMs, scope)) {
        const bytes = await this.attempt(attempt, scope);
        if (bytes !== null) return bytes;
      }
    }
    if (signal.aborted) throw aborted();
    return null;
  }

  /** What has arrived counts no more. */
  giveUp(): void {
    this.transfer.restart();
  }

  private async waited(milliseconds: number, scope: AbortSignal): Promise<boolean> {
    if (milliseconds === 0) return true;
    const done = this.line.meter.wait("retry");
    const slept = await sleep(milliseconds, scope);
    done();
    return slept;
  }

  private async attempt(attempt: Attempt, scope: AbortSignal): Promise<Bytes | null> {
    const { transfer, wanted } = this;
    const { base } = attempt.mirror;
    try {
      const cache = attempt.anew ? "reload" : wanted.cache;
      await transfer.attempt(new URL(wanted.path, base), cache, scope);
      const { bytes } = transfer;
      if (!(await wanted.isRight(bytes)))
        throw transfer.refuse("its content is not what it has to be");
      this.attempts.served(attempt);
      return bytes;
    } catch (error) {
      if (scope.aborted) return null;
      if (!(error instanceof Failure)) throw error;
      if (error.kind === "again" && this.line.gate?.lost()) return null;
      this.attempts.failed(attempt, error, transfer.progressed());
      return null;
    }
  }
}

/** Calls `work` whenever the network may be used, until it has a result. */
export async function persevere<T>(
  { gate, meter }: Line,
  signal: AbortSignal,
  work: () => Promise<T | null>,
): Promise<T> {
  for (;;) {
    if (gate?.reason) {
      const done = meter.wait(gate.reason);
      await gate.pass(signal).finally(done);
    }
    const result = await work();
    if (result !== null) return result;
  }
}
