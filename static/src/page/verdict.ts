/** What the capability check comes down to, and what can be done about bad news. */

import type { CapabilityReport } from "./engine";
import { asked, explain, forced, type Line, refusals } from "./ladder";
import type { Wish } from "./wish";
import { words } from "./words";

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
    return {
      usable: true,
      title: words.ladder.runs(words.ladder.place(chosen.backend)),
      lines,
      hint: "",
    };
  }
  const lines = [...forced(wish), ...refusals(report, wish)];
  const general = refusal(report);
  if (wish.source === null || !report.secureContext) return { usable: false, ...general, lines };
  const title = notAsAsked(report, wish);
  if (report.rungs.some(({ usable }) => usable)) {
    return { usable: false, title, lines: [...lines, otherwise()], hint: "" };
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
  const { noVariant, notAs, notThere } = words.verdict;
  const { variant, backend = "webgpu" } = wish;
  if (variant === undefined) return notThere(words.ladder.place(backend));
  return (asked(report, { variant }).length === 0 ? noVariant : notAs)(variant);
}

function otherwise(): Line {
  const { otherwise: text, choose: label } = words.verdict;
  return { text, offer: { label, testid: "choose-automatically", way: {} } };
}

function refusal(report: CapabilityReport): { title: string; hint: string } {
  const { insecure, insecureHint, noWebGpu, noWebGpuHint, unable, unableHint } = words.verdict;
  if (!report.secureContext) return { title: insecure, hint: insecureHint };
  const onlyGraphics = report.rungs.every(({ backend }) => backend === "webgpu");
  return report.adapter === null && onlyGraphics
    ? { title: noWebGpu, hint: noWebGpuHint }
    : { title: unable, hint: unableHint };
}
