/** Faults and refusals in plain words, and what can be done about each. */

import type { CapabilityReport, EngineInfo, ErrorCode, Trouble } from "./engine";

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

/** Faults that another backend may well be spared. */
const OF_ONE_BACKEND: ErrorCode[] = [
  "webgpu-unavailable",
  "no-adapter",
  "device-too-small",
  "out-of-memory",
  "device-lost",
  "worker-lost",
  "gpu-validation",
  "wrong-answer",
  "internal",
];

/** Whether the processor is worth a try after a fault of `running`, or of the rung chosen. */
export function processorMayDo(
  trouble: Trouble,
  running: EngineInfo | null,
  report: CapabilityReport | null,
): boolean {
  if (!report || !OF_ONE_BACKEND.includes(trouble.code)) return false;
  const chosen = report.rungs.find(({ variant }) => variant === report.chosen);
  const able = report.rungs.some(({ backend, usable }) => backend === "wasm" && usable);
  return able && (running ?? chosen)?.backend === "webgpu";
}

export const INSECURE_HINT = "Open it over https, or as localhost on the machine that serves it.";

/** What is wrong when the page itself is not in a secure context; the engine need not be asked. */
export const INSECURE: Trouble = {
  code: "insecure-context",
  message:
    "It was opened over plain http from another machine, and browsers then offer neither WebGPU " +
    "nor storage.",
  hint: INSECURE_HINT,
};
