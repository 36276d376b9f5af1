/** This device's pace: from memory, or measured by pace.js in workers of its own. */

import { defaultThreads } from "../backends/wasm-threads";
import type { MarkStorage } from "../device/crash";
import { Remembered } from "../device/remembered";
import type { PaceReply, PaceRequest } from "../pace/protocol";
import type { Variant } from "../plan";
import type { CapabilityReport } from "./api";
import type { Pace } from "./assessment";
import { startWorker } from "./start-worker";

const STORE = "webkiln.pace";
const KEPT_MS = 7 * 24 * 3600 * 1000;
const WASM_MS = 250;
const WEBGPU_MS = 350;
const GIVEN_UP_MS = 5000; // a device that is asleep, or busy with something else
const [LEAST_BYTES, ALL_BYTES] = [1 << 24, 1 << 26]; // of a thread, and of all

/** What is measured: an adapter, or a number of threads with or without relaxed SIMD. */
export type Subject =
  | { backend: "webgpu"; adapter: string }
  | { backend: "wasm"; threads: number; relaxed: boolean };

/** `wanted` threads, or those that suit the device. */
export function subjectOf(
  { backend, requires }: Variant,
  report: CapabilityReport,
  wanted?: number,
): Subject {
  if (backend === "webgpu") return { backend, adapter: JSON.stringify(report.adapter) };
  const threaded = requires.features.includes("threads");
  const threads = threaded ? (wanted ?? defaultThreads(report.cores)) : 1;
  return { backend, threads, relaxed: requires.features.includes("relaxed-simd") };
}

export class Paces {
  private readonly known: Remembered<Pace & { subject: string }>;

  constructor(
    private readonly start: () => Worker = () => startWorker("pace.js", "webkiln pace"),
    storage?: MarkStorage | null,
    now?: () => number,
    browser?: string,
  ) {
    this.known = new Remembered(STORE, KEPT_MS, isKnown, storage, now, browser);
  }

  recall(subject: Subject): Pace | null {
    const key = JSON.stringify(subject);
    return this.known.all().find((known) => known.subject === key) ?? null;
  }

  /** Null where nothing could be measured: an estimate is no reason to fail. */
  async measure(subject: Subject, signal?: AbortSignal): Promise<Pace | null> {
    const crew: Meter[] = [];
    const threads = subject.backend === "wasm" ? subject.threads : 1;
    const stop = AbortSignal.any([
      AbortSignal.timeout(GIVEN_UP_MS),
      ...(signal === undefined ? [] : [signal]),
    ]);
    try {
      for (let thread = 0; thread < threads; thread++) crew.push(new Meter(this.start(), stop));
      const pace = await measureWith(crew, subject);
      const key = JSON.stringify(subject);
      if (pace) this.known.add({ ...pace, subject: key }, (other) => other.subject === key);
      return pace;
    } catch {
      return null;
    } finally {
      for (const meter of crew) meter.end();
    }
  }
}

/** All threads read at the same time, each its own memory: they share what the device has. */
async function measureWith(crew: Meter[], subject: Subject): Promise<Pace | null> {
  if (subject.backend === "wasm") {
    const bytes = Math.max(LEAST_BYTES, ALL_BYTES / crew.length);
    await ask(crew, { type: "open", bytes, relaxed: subject.relaxed });
  }
  const request: PaceRequest =
    subject.backend === "webgpu"
      ? { type: "webgpu", ms: WEBGPU_MS }
      : { type: "read", ms: WASM_MS };
  const paces = (await ask(crew, request)).flatMap((reply) =>
    reply.type === "pace" ? [reply.pace] : [],
  );
  const bytesPerSecond = paces.reduce((sum, pace) => sum + pace.bytesPerSecond, 0);
  const secondsPerDispatch = Math.max(0, ...paces.map((pace) => pace.secondsPerDispatch));
  return bytesPerSecond > 0 ? { bytesPerSecond, secondsPerDispatch } : null;
}

function ask(crew: Meter[], request: PaceRequest): Promise<PaceReply[]> {
  return Promise.all(crew.map((meter) => meter.ask(request)));
}

/** One worker; what it cannot do, and `stop`, reject. */
class Meter {
  constructor(
    private readonly worker: Worker,
    private readonly stop: AbortSignal,
  ) {}

  ask(request: PaceRequest): Promise<PaceReply> {
    return new Promise((resolve, reject) => {
      const { worker, stop } = this;
      const failed = (): void => reject(new Error("not measured"));
      if (stop.aborted) failed();
      stop.addEventListener("abort", failed, { once: true });
      worker.onerror = failed;
      worker.onmessage = ({ data }: MessageEvent<PaceReply>) => {
        if (data.type === "failed") failed();
        else resolve(data);
      };
      worker.postMessage(request);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}

function isKnown(entry: Partial<Record<keyof Pace | "subject", unknown>>): boolean {
  const { subject, bytesPerSecond, secondsPerDispatch } = entry;
  return (
    typeof subject === "string" &&
    typeof bytesPerSecond === "number" &&
    bytesPerSecond > 0 &&
    typeof secondsPerDispatch === "number"
  );
}
