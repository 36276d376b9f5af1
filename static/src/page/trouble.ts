/** Faults and refusals in plain words, and what can be done about each. */

import type { Backend, CapabilityReport, ErrorCode, Trouble } from "./engine";
import type { Wish } from "./wish";

/** What the page offers: try the same again, load the model anew, or just close the message. */
export type Remedy = "retry" | "reload" | "close";

const WORDS: Record<ErrorCode, { title: string; remedy: Remedy }> = {
  "insecure-context": { title: "This page needs a secure address", remedy: "retry" },
  "webgpu-unavailable": { title: "This browser does not offer WebGPU", remedy: "retry" },
  "no-adapter": { title: "No graphics adapter was found", remedy: "retry" },
  "device-too-small": { title: "This device cannot run the model", remedy: "retry" },
  "unsupported-format": { title: "The model was made for another version", remedy: "retry" },
  "bad-bundle": { title: "The model's files are damaged", remedy: "retry" },
  network: { title: "A download failed", remedy: "retry" },
  integrity: { title: "A file is not what it should be", remedy: "retry" },
  storage: { title: "The browser's storage refused a file", remedy: "retry" },
  "out-of-memory": { title: "The device ran out of memory", remedy: "reload" },
  "device-lost": { title: "The graphics device was lost", remedy: "reload" },
  "worker-lost": { title: "The model's worker stopped", remedy: "reload" },
  "gpu-validation": { title: "The graphics driver refused a command", remedy: "reload" },
  "kernel-fault": { title: "The model stopped in the middle of its work", remedy: "reload" },
  "wrong-answer": { title: "This device calculates wrongly", remedy: "reload" },
  "context-overflow": { title: "The conversation is too long", remedy: "close" },
  "bad-request": { title: "The model cannot take this request", remedy: "close" },
  aborted: { title: "Stopped", remedy: "close" },
  internal: { title: "Something went wrong", remedy: "reload" },
};

export function words(trouble: Trouble): { title: string; remedy: Remedy } {
  return WORDS[trouble.code] ?? WORDS.internal;
}

/** Faults of the graphics card; an engine that was free to choose has tried the processor too. */
const OF_THE_CARD: ErrorCode[] = [
  "webgpu-unavailable",
  "no-adapter",
  "device-too-small",
  "out-of-memory",
  "device-lost",
  "gpu-validation",
  "wrong-answer",
];
/** Faults after which no engine is left that could try anything. */
const SUDDEN: ErrorCode[] = ["worker-lost", "internal"];

/** What stood when something failed. */
export interface Standing {
  backend: Backend;
  report: CapabilityReport;
  wish: Wish;
}

/** Whether the processor is worth a try that nobody has made. */
export function processorMayDo(trouble: Trouble, { backend, report, wish }: Standing): boolean {
  const able = report.rungs.some((rung) => rung.backend === "wasm" && rung.usable);
  const forced = wish.source !== null && OF_THE_CARD.includes(trouble.code);
  return able && backend === "webgpu" && (forced || SUDDEN.includes(trouble.code));
}
