/**
 * Helper threads, which the page starts for the worker that computes: in some browsers `new Worker`
 * inside a worker now and then never returns.
 */

import type { Crew, Hand } from "../backends/wasm-helpers";
import type { ThreadStart } from "../backends/wasm-thread";
import type { FromWorker } from "./protocol";
import { startWorker } from "./start-worker";
import type { RequestRecord } from "./traffic";

/** The worker's end: asks the page. */
export class RemoteCrew implements Crew {
  private readonly hands = new Map<number, (problem: string) => void>();
  private nextId = 1;

  constructor(private readonly post: (message: FromWorker, transfer?: Transferable[]) => void) {}

  hire(start: ThreadStart, port: MessagePort): Hand {
    const id = this.nextId++;
    const failed = new Promise<string>((resolve) => this.hands.set(id, resolve));
    this.post({ type: "hire", id, start, port }, [port]);
    const dismiss = (): void => {
      this.hands.delete(id);
      this.post({ type: "dismiss", id });
    };
    return { failed, dismiss };
  }

  /** The page says that a helper did not come up. */
  unfit(id: number, problem: string): void {
    this.hands.get(id)?.(problem);
  }
}

/** The page's end: the workers themselves. */
export class LocalCrew {
  private readonly workers = new Map<number, Worker>();

  constructor(
    private readonly unfit: (id: number, problem: string) => void,
    private readonly requests: (requests: RequestRecord[]) => void,
  ) {}

  hire(id: number, start: ThreadStart, port: MessagePort): void {
    const worker = startWorker("thread.js", `webkiln thread ${start.thread}`);
    this.workers.set(id, worker);
    worker.onerror = ({ message }) => this.unfit(id, message || "its script did not load");
    worker.onmessageerror = () => this.unfit(id, "its message could not be read");
    worker.onmessage = ({ data }: MessageEvent<RequestRecord[]>) => this.requests(data);
    worker.postMessage({ start, port }, [port]);
  }

  dismiss(id: number): void {
    this.workers.get(id)?.terminate();
    this.workers.delete(id);
  }

  dismissAll(): void {
    for (const id of [...this.workers.keys()]) this.dismiss(id);
  }
}
