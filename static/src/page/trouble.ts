/** Faults and refusals in plain words, and what can be done about each. */

import type { CapabilityReport, ErrorCode, Trouble } from "./engine";

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
  "context-overflow": { title: "The conversation is too long", remedy: "close" },
  "bad-request": { title: "The model cannot take this request", remedy: "close" },
  aborted: { title: "Stopped", remedy: "close" },
  internal: { title: "Something went wrong", remedy: "reload" },
};

export function words(trouble: Trouble): { title: string; remedy: Remedy } {
  return WORDS[trouble.code] ?? WORDS.internal;
}

export interface Verdict {
  usable: boolean;
  title: string;
  /** Caveats when usable, reasons when not. */
  reasons: string[];
  /** What to do; "" when nothing needs doing. */
  hint: string;
}

/** What the capability check comes down to. */
export function verdict(report: CapabilityReport): Verdict {
  const chosen = report.rungs.find((rung) => rung.variant === report.chosen);
  if (chosen) {
    const way = chosen.backend === "webgpu" ? "on its graphics processor" : "on its processor";
    return {
      usable: true,
      title: `This device can run it ${way}`,
      reasons: chosen.reasons,
      hint: "",
    };
  }
  const reasons = [...new Set(report.rungs.flatMap((rung) => rung.reasons))];
  return { usable: false, ...refusal(report), reasons };
}

function refusal(report: CapabilityReport): { title: string; hint: string } {
  if (!report.secureContext) {
    return { title: WORDS["insecure-context"].title, hint: INSECURE_HINT };
  }
  if (report.adapter === null) {
    return {
      title: "WebGPU is not available here",
      hint:
        "Use a recent Chrome, Edge, Firefox or Safari, switch on hardware acceleration in its " +
        "settings, and update the graphics driver.",
    };
  }
  return {
    title: WORDS["device-too-small"].title,
    hint: "Choose a smaller model, or open this page on another device.",
  };
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

/** The rung in a few words: "f32 · WebGPU". */
export function rungName(variant: string, backend: string): string {
  return `${variant} · ${backend === "webgpu" ? "WebGPU" : "WebAssembly"}`;
}
