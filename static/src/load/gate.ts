/** Whether the network may be used: not while a person paused it, nor while there is none. */

import { aborted } from "../engine/errors";

const LOOK_AGAIN_MS = 15_000; // browsers err: "offline" may still reach this very machine

/** What the gate asks of its surroundings; tests hand in their own. */
export interface Network extends Pick<EventTarget, "addEventListener"> {
  readonly navigator: { readonly onLine?: boolean };
}

export class Gate {
  private isPaused = false;
  private isOffline = false;
  private pausing = new AbortController();
  private opened: (() => void)[] = [];

  constructor(
    private readonly network: Network = globalThis,
    private readonly lookAgainMs = LOOK_AGAIN_MS,
  ) {
    network.addEventListener("online", () => this.found());
  }

  /** Why it is closed; null while it is open. */
  get reason(): "paused" | "offline" | null {
    if (this.isPaused) return "paused";
    return this.isOffline ? "offline" : null;
  }

  /** Aborts when a person pauses: what is on its way then ends. */
  get pauses(): AbortSignal {
    return this.pausing.signal;
  }

  pause(): void {
    this.isPaused = true;
    this.pausing.abort();
  }

  resume(): void {
    if (this.isPaused) this.pausing = new AbortController();
    this.isPaused = false;
    this.wake();
  }

  /** After a request failed: closes where there is no network any more; whether it did. */
  lost(): boolean {
    if (this.network.navigator.onLine !== false) return false;
    this.isOffline = true;
    setTimeout(() => this.found(), this.lookAgainMs);
    return true;
  }

  /** Resolves while the gate is open; throws when the signal aborts first. */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.reason !== null) {
      await new Promise<void>((resolve, reject) => {
        const leave = (): void => reject(aborted());
        signal.addEventListener("abort", leave, { once: true });
        this.opened.push(() => {
          signal.removeEventListener("abort", leave);
          resolve();
        });
        if (signal.aborted) leave();
      });
    }
  }

  /** The network is back, or worth another try. */
  found(): void {
    this.isOffline = false;
    this.wake();
  }

  private wake(): void {
    if (this.reason === null) for (const go of this.opened.splice(0)) go();
  }
}
