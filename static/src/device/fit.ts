/** Whether a model suits this device, from what is known without loading it. */

import type { Backend, CapabilityReport, Cause } from "../engine/api";
import type { Assessment, Fit, FitCause, Speed } from "../engine/assessment";
import { MOST_TOLD } from "./judge";

/** Below it an answer comes more slowly than people read, tokens a second. */
export const READING = 5;

const GIB = 2 ** 30;
/** Bytes that any device which runs a current browser has to spare. */
const MODEST = GIB;
const MOST = 0.75; // of a device's memory: the rest is the system's and other tabs'
const SHARED = 0.25; // of a device's memory: as much a graphics card surely may take or has itself

export interface FitFacts {
  report: CapabilityReport;
  /** Bytes that the chosen variant takes at the context asked for. */
  needed: number;
  /** `navigator.deviceMemory` in GiB. */
  deviceMemory: number | undefined;
  /** Bytes still to be fetched, and those that the browser has room for; null: it does not say. */
  missing: number;
  free: number | null;
  speed: Speed | null;
  /** Whether it ran here with as large a context. */
  ran: boolean;
  /** The smallest context at which it ran out of memory here; null: it never did. */
  ranOut: number | null;
  context: number;
}

export function judgeFit(facts: FitFacts): { fit: Fit; causes: FitCause[] } {
  const { report } = facts;
  const chosen = report.rungs.find(({ variant }) => variant === report.chosen);
  if (!chosen) return { fit: "no", causes: distinct(report.rungs.flatMap(({ causes }) => causes)) };
  const causes: FitCause[] = [
    ...chosen.causes.filter(({ code }) => code !== "scarce-memory"), // judged anew below
    ...memoryCauses(facts, chosen.backend),
    ...diskCauses(facts),
    ...speedCauses(facts.speed),
  ];
  return { fit: fitOf(causes), causes };
}

function fitOf(causes: FitCause[]): Fit {
  // The card is passed over for the processor: nothing speaks against that.
  const real = causes.filter(({ code }) => code !== "emulated-passed-over");
  if (real.some(({ code }) => code !== "memory-unknown")) return "tight";
  return real.length > 0 ? "unknown" : "well";
}

function memoryCauses(facts: FitFacts, backend: Backend): FitCause[] {
  const { ranOut, context, ran, needed, deviceMemory, report } = facts;
  if (ranOut !== null && context >= ranOut) return [{ code: "ran-out", context: ranOut }];
  if (ran) return [];
  const unknown: FitCause[] = [{ code: "memory-unknown", needed }];
  if (deviceMemory === undefined) return needed > MODEST ? unknown : [];
  const memory = deviceMemory * GIB;
  if (needed > MOST * memory) {
    return deviceMemory >= MOST_TOLD ? unknown : [{ code: "scarce-memory", needed }];
  }
  const onCard = backend === "webgpu" && !report.adapter?.fallback;
  return onCard && needed > Math.max(MODEST, SHARED * memory) ? unknown : [];
}

function diskCauses({ missing, free }: FitFacts): FitCause[] {
  return free !== null && missing > free ? [{ code: "disk", missing, free }] : [];
}

function speedCauses(speed: Speed | null): FitCause[] {
  if (!speed || speed.tokensPerSecond >= READING) return [];
  return [{ code: "slow", tokensPerSecond: speed.tokensPerSecond }];
}

function distinct(causes: Cause[]): Cause[] {
  const known = new Map(causes.map((cause) => [JSON.stringify(cause), cause]));
  return [...known.values()];
}

/** Why a model is the one to take. */
export type SuggestionReason =
  /** It is the only one that runs; the only one of the best fit; of several, the largest. */
  "only" | "best-fit" | "largest";

export interface Suggestion {
  /** `model` of the assessment. */
  model: string;
  reason: SuggestionReason;
}

const ORDER: Fit[] = ["well", "tight", "unknown"];

/**
 * The model to take to chat with: of those that fit best the one with the most parameters, which
 * mostly answers best. What does not run is never suggested; null where nothing is left.
 */
export function suggestModel(
  assessments: Pick<Assessment, "model" | "fit" | "about">[],
): Suggestion | null {
  const able = assessments.filter(({ fit, about }) => fit !== "no" && about && !about.embedding);
  const best = ORDER.find((wanted) => able.some(({ fit }) => fit === wanted));
  const fitting = able.filter(({ fit }) => fit === best);
  const size = ({ about }: (typeof fitting)[number]) => about?.parameters ?? 0;
  const [first] = fitting.toSorted((a, b) => size(b) - size(a));
  if (!first) return null;
  const reason = able.length === 1 ? "only" : fitting.length === 1 ? "best-fit" : "largest";
  return { model: first.model, reason };
}
