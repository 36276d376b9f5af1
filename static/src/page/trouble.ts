/** What can be done about faults and refusals; what is said of them is in the words. */

import {
  type Backend,
  type CapabilityReport,
  type EngineInfo,
  type EngineTrouble,
  type ErrorCode,
  isServerTrouble,
  type Trouble,
} from "./engine";
import type { Wish } from "./wish";
import { words } from "./words";

/** What the page offers: try the same again, load the model anew, or just close the message. */
export type Remedy = "retry" | "reload" | "close";

const RELOAD: ErrorCode[] = [
  "out-of-memory",
  "device-lost",
  "worker-lost",
  "gpu-validation",
  "kernel-fault",
  "wrong-answer",
  "internal",
];
const CLOSE: ErrorCode[] = ["context-overflow", "bad-request", "aborted"];

/** What may help; a code from a newer engine is treated like an internal fault. */
export function remedyFor(trouble: Trouble): Remedy {
  if (isServerTrouble(trouble)) return "retry";
  const { code } = trouble;
  if (RELOAD.includes(code) || !Object.hasOwn(words.faults, code)) return "reload";
  return CLOSE.includes(code) ? "close" : "retry";
}

/** Whether the page may be older than the model it asked for: a newer one knows that. */
export function isOutdated({ code, values }: EngineTrouble): boolean {
  return code === "unsupported-format" || (code === "integrity" && values.file === "manifest.json");
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

/** `info`: of the engine, if one is loaded; `checked`: what the last check found, if there was one. */
export function standingOf(
  info: EngineInfo | null,
  checked: CapabilityReport | null,
  wish: Wish,
): Standing | null {
  const report = info?.report ?? checked;
  const chosen = report?.rungs.find(({ variant }) => variant === report.chosen);
  const backend = info?.backend ?? chosen?.backend;
  return report && backend ? { backend, report, wish } : null;
}

/** Whether the processor is worth a try that nobody has made. */
export function processorMayDo(trouble: Trouble, { backend, report, wish }: Standing): boolean {
  const able = report.rungs.some((rung) => rung.backend === "wasm" && rung.usable);
  if (isServerTrouble(trouble)) return false;
  const forced = wish.source !== null && OF_THE_CARD.includes(trouble.code);
  return able && backend === "webgpu" && (forced || SUDDEN.includes(trouble.code));
}
