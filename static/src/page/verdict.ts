/** What the capability check comes down to, and what can be done about bad news. */

import type { CapabilityReport } from "./engine";
import { asked, explain, forced, type Line, place, refusals } from "./ladder";
import type { Wish } from "./wish";

export interface Verdict {
  usable: boolean;
  title: string;
  /** Why this rung when usable, why none when not. */
  lines: Line[];
  /** What to do; "" when nothing needs doing. */
  hint: string;
}

export function verdict(report: CapabilityReport, wish: Wish): Verdict {
  const chosen = report.rungs.find((rung) => rung.variant === report.chosen);
  if (chosen) {
    const lines = explain(report, chosen.variant, wish);
    return { usable: true, title: `Runs ${place(chosen.backend)}`, lines, hint: "" };
  }
  const lines = [...forced(wish), ...refusals(report, wish)];
  const general = refusal(report);
  if (wish.source === null || !report.secureContext) return { usable: false, ...general, lines };
  const title = notAsAsked(report, wish);
  if (report.rungs.some(({ usable }) => usable)) {
    return { usable: false, title, lines: [...lines, OTHERWISE], hint: "" };
  }
  return { usable: false, title, lines, hint: general.hint };
}

/** Whether to load without a further click; what crashed last time waits for one. */
export function startsAtOnce(report: CapabilityReport, wish: Wish, wanted: boolean): boolean {
  const chosen = report.rungs.find((rung) => rung.variant === report.chosen);
  if (!chosen) return false;
  return wish.source === "click" || (wanted && !chosen.crashed);
}

function notAsAsked(report: CapabilityReport, wish: Wish): string {
  if (asked(report, { variant: wish.variant }).length === 0) {
    return `This model has no variant ${wish.variant}`;
  }
  if (wish.variant !== undefined) return `It cannot run as ${wish.variant} here`;
  return `It cannot run ${place(wish.backend ?? "webgpu")} here`;
}

const OTHERWISE: Line = {
  text: "It can run here in another way.",
  offer: { label: "Choose automatically", testid: "choose-automatically", way: {} },
};

function refusal(report: CapabilityReport): { title: string; hint: string } {
  if (!report.secureContext) {
    return {
      title: "This page needs a secure address",
      hint: "Open it over https, or as localhost on the machine that serves it.",
    };
  }
  const onlyGraphics = report.rungs.every(({ backend }) => backend === "webgpu");
  if (report.adapter === null && onlyGraphics) {
    return {
      title: "WebGPU is not available here",
      hint:
        "Use a recent Chrome, Edge, Firefox or Safari, switch on hardware acceleration in its " +
        "settings, and update the graphics driver.",
    };
  }
  return {
    title: "This device cannot run the model",
    hint: "Choose a smaller model, or open this page on another device or in another browser.",
  };
}
