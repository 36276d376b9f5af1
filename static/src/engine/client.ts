/** The page's end of the protocol: typed calls to a worker that may die at any time. */

import type { LoadOutcome } from "../device/crash";
import { type EngineInfo, type Progress, WebkilnError } from "./api";
import { LocalCrew } from "./crew";
import { aborted, fromWire } from "./errors";
import type { Answer, CallName, Calls, FromWorker, ToWorker } from "./protocol";
import { notStarted, startWorker } from "./start-worker";
import type { RequestRecord } from "./traffic";

interface Pending {
  type: CallName;
  resolve(value: unknown): void;
  reject(error: WebkilnError): void;
  onDelta?: (text: string) => void;
}

export interface CallOptions {
  /** Asks the worker to stop; what that means is up to the call. */
  signal?: AbortSignal | undefined;
  onDelta?: (text: string) => void;
}

/** What the worker says without being asked. */
export interface ClientEvents {
  progress(progress: Progress): void;
  loading(variant: string): void;
  loaded(outcome: LoadOutcome): void;
  change(info: EngineInfo): void;
  kept(whole: boolean): void;
  /** The worker, or one of its threads, made these. */
  requests(requests: RequestRecord[]): void;
  /** The worker is gone, with these calls under way. */
  lost(calls: CallName[]): void;
}

export class WorkerClient {
  private readonly pending = new Map<number, Pending>();
  private readonly worker: Worker;
  private readonly gone = new AbortController();
  private readonly crew = new LocalCrew(
    (id, problem) => this.post({ type: "unfit", id, problem }),
    (requests) => this.events.requests(requests),
  );
  private nextId = 1;
  /** Why no call can succeed any more; null while the worker lives. */
  private end: WebkilnError | null = null;

  constructor(
    /** Name of the Web Lock that tells whether the worker lives. */
    private readonly lock: string,
    private readonly events: ClientEvents,
  ) {
    this.worker = startWorker("worker.js", "webkiln");
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.receive(data);
    this.worker.onerror = (event) => this.lose(event.message);
    this.worker.onmessageerror = () => this.lose("a message could not be read");
    const online = (): void => this.post({ type: "online" });
    globalThis.addEventListener?.("online", online, { signal: this.gone.signal });
  }

  call<K extends CallName>(
    type: K,
    takes: Calls[K]["takes"],
    { signal, onDelta }: CallOptions = {},
  ): Promise<Calls[K]["gives"]> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.end !== null) throw this.end;
      const abort = (): void => this.post({ type: "abort", id });
      const settle = (): void => {
        this.pending.delete(id);
        signal?.removeEventListener("abort", abort);
      };
      this.pending.set(id, {
        type,
        resolve: (value) => {
          settle();
          resolve(value as Calls[K]["gives"]);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        ...(onDelta ? { onDelta } : {}),
      });
      // The mapped type ties `type` to `takes`, which a spread of generics cannot show.
      this.post({ type, id, ...takes } as unknown as ToWorker);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    });
  }

  /** Holds downloads up, or lets them go on. */
  pause(paused: boolean): void {
    this.post({ type: paused ? "pause" : "resume" });
  }

  /** Ends the worker at once; calls under way reject with `reason`. */
  kill(reason: WebkilnError = aborted()): void {
    this.worker.terminate();
    this.fail(reason);
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case "alive":
        this.watch();
        break;
      case "progress":
        this.events.progress(message.progress);
        break;
      case "loading":
        this.events.loading(message.variant);
        this.post({ type: "noted" });
        break;
      case "loaded":
        this.events.loaded(message.outcome);
        break;
      case "hire":
        this.crew.hire(message.id, message.start, message.port);
        break;
      case "dismiss":
        this.crew.dismiss(message.id);
        break;
      case "change":
        this.events.change(message.info);
        break;
      case "kept":
        this.events.kept(message.whole);
        break;
      case "requests":
        this.events.requests(message.requests);
        break;
      default:
        this.settle(message, this.pending.get(message.id));
    }
  }

  /** What answers a call. */
  private settle(message: Answer, call: Pending | undefined): void {
    if (message.type === "delta") call?.onDelta?.(message.text);
    else if (message.type === "reply") call?.resolve(message.value);
    else call?.reject(fromWire(message.error));
  }

  /** A worker that is killed says nothing, but the lock it held becomes free. */
  private watch(): void {
    navigator.locks
      .request(this.lock, { signal: this.gone.signal }, () => {
        this.lose("it ended without a word");
      })
      .catch(() => {}); // `gone` was aborted: the engine was disposed of
  }

  private lose(cause: string): void {
    if (this.end === null) this.events.lost([...this.pending.values()].map(({ type }) => type));
    this.fail(workerLost(cause));
  }

  private fail(error: WebkilnError): void {
    if (this.end !== null) return;
    this.end = error;
    this.gone.abort();
    this.worker.terminate();
    this.crew.dismissAll();
    for (const call of [...this.pending.values()]) call.reject(error);
  }
}

/** An error that says nothing is of a script that never ran. */
function workerLost(cause: string): WebkilnError {
  if (!cause) return notStarted("the engine's worker could not be started");
  return new WebkilnError(
    "worker-lost",
    `the engine's worker is gone: ${cause}`,
    "Create the engine again; if it was out of memory, choose a smaller model or context.",
  );
}
