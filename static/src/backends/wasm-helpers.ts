/** The helper workers: every thread but thread 0, which is the engine's worker. */

import { fromWire } from "../engine/errors";
import { helperFailed } from "./wasm-errors";
import type { HelperReply, ThreadStart } from "./wasm-thread";

const START_MS = 5000;

/** Whoever can start workers. */
export interface Crew {
  /** Starts a worker that opens the thread and tells `port` how it went. */
  hire(start: ThreadStart, port: MessagePort): Hand;
}

export interface Hand {
  /** Resolves, if ever, with why the worker did not come up. */
  failed: Promise<string>;
  dismiss(): void;
}

export class Helpers {
  private constructor(private readonly hands: Hand[]) {}

  /** Starts them side by side; throws, and leaves none behind, when one does not come up. */
  static async start(starts: ThreadStart[], crew: Crew): Promise<Helpers> {
    const helpers = new Helpers([]);
    const started = starts.map((start) => helpers.begin(start, crew));
    try {
      await Promise.all(started);
      return helpers;
    } catch (error) {
      helpers.end();
      throw error;
    }
  }

  end(): void {
    for (const hand of this.hands) hand.dismiss();
  }

  /** Resolves when the helper waits for its first command. */
  private async begin(start: ThreadStart, crew: Crew): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const hand = crew.hire(start, port2);
    this.hands.push(hand);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const failed = (problem: string): void => reject(helperFailed(start.thread, problem));
        timer = setTimeout(() => failed(`it was not ready after ${START_MS / 1000} s`), START_MS);
        void hand.failed.then(failed);
        port1.onmessage = ({ data }: MessageEvent<HelperReply>) => {
          if (data.error === null) resolve();
          else reject(fromWire(data.error));
        };
      });
    } finally {
      clearTimeout(timer);
      port1.close();
    }
  }
}
