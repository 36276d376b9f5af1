/** Jobs one after the other on the engine's own thread. */

import type { WebkilnError } from "../engine/api";
import { asWebkilnError } from "../engine/errors";

export class JobQueue {
  private last: Promise<unknown> = Promise.resolve();
  private failure: WebkilnError | null = null;

  /**
   * The job's result, once all earlier jobs are done. A job that fails fails all later ones with
   * the same error. Nobody has to look at the result: a failure is never an unhandled rejection.
   */
  add<T>(job: () => T | Promise<T>): Promise<T> {
    const result = this.last.then(() => this.perform(job));
    this.last = result.catch(() => {});
    return result;
  }

  /** From here on everything fails with `error`, unless something failed before. */
  fail(error: WebkilnError): void {
    this.failure ??= error;
  }

  /** Throws what failed, for jobs that take breaks. */
  check(): void {
    if (this.failure !== null) throw this.failure;
  }

  private async perform<T>(job: () => T | Promise<T>): Promise<T> {
    this.check();
    try {
      return await job();
    } catch (error) {
      this.fail(asWebkilnError(error));
      throw this.failure;
    }
  }
}

const BREATH_MS = 20;
const SLICE_MS = 10;

/** Lets the messages in that have arrived. Timers would do, but browsers slow them down. */
export class Breather {
  private readonly channel = new MessageChannel();
  private last = performance.now();
  private end: () => void = () => {};

  /** Takes a break where the last one is some time ago. */
  async pause(): Promise<void> {
    if (performance.now() - this.last > BREATH_MS) await this.breathe();
  }

  /** A break: what waits in the event loop has its turn. */
  async breathe(): Promise<void> {
    const { port1, port2 } = this.channel;
    await new Promise<void>((resolve) => {
      this.end = resolve;
      port1.onmessage = () => resolve();
      port2.postMessage(null);
    });
    this.last = performance.now();
  }

  /** Ends the break under way, if there is one; there must be no other. */
  close(): void {
    this.channel.port1.close();
    this.end();
  }
}

const FIRST_STAGES = 16; // when nothing is known yet
const GROWTH = 4; // at most, from one slice to the next

/** How many stages of a function to run before it is time to look at the clock. */
export class Pace {
  stages = FIRST_STAGES;

  /** A slice of so many stages took so long. */
  took(stages: number, milliseconds: number): void {
    // The rest of a function says little about the whole, unless it was slow.
    if (stages < this.stages && milliseconds < SLICE_MS) return;
    const wanted = Math.floor((stages * SLICE_MS) / Math.max(milliseconds, 0.1));
    this.stages = Math.max(1, Math.min(wanted, GROWTH * this.stages));
  }
}
