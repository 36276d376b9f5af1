/** The helper workers: every thread but thread 0, which is the engine's worker. */

import { fromWire } from "../engine/errors";
import { helperFailed } from "./wasm-errors";
import type { HelperReply, ThreadStart } from "./wasm-thread";

const START_MS = 5000;

export class Helpers {
  private constructor(private readonly workers: Worker[]) {}

  /** Starts them side by side; throws, and leaves none behind, when one does not come up. */
  static async start(starts: ThreadStart[]): Promise<Helpers> {
    const helpers = new Helpers([]);
    const started = starts.map((start) => {
      const address = new URL("./thread.js", import.meta.url);
      const name = `webkiln thread ${start.thread}`;
      const worker = new Worker(address, { type: "module", name });
      helpers.workers.push(worker);
      return begin(worker, start);
    });
    try {
      await Promise.all(started);
      return helpers;
    } catch (error) {
      helpers.end();
      throw error;
    }
  }

  end(): void {
    for (const worker of this.workers) worker.terminate();
  }
}

/** Resolves when the helper waits for its first command. */
async function begin(worker: Worker, start: ThreadStart): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const failed = (problem: string): void => reject(helperFailed(start.thread, problem));
      timer = setTimeout(() => failed(`it was not ready after ${START_MS / 1000} s`), START_MS);
      worker.onerror = ({ message }) => failed(message || "its script did not load");
      worker.onmessageerror = () => failed("its message could not be read");
      worker.onmessage = ({ data }: MessageEvent<HelperReply>) => {
        if (data.error === null) resolve();
        else reject(fromWire(data.error));
      };
      worker.postMessage(start);
    });
  } finally {
    clearTimeout(timer);
  }
}
