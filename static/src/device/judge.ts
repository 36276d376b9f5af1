/** One variant against what the device offers, in plain words. */

import type { CapabilityReport, Cause, Rung } from "../engine/api";
import { formatBytes } from "../engine/errors";
import { type Memory, type Variant, WASM_RESERVED } from "../plan";
import type { Surroundings } from "./check";

export const INSECURE =
  "the page was opened over plain http, where browsers offer neither WebGPU nor storage, nor the " +
  "hashing that downloads are checked with";
export const NO_WEBGPU = "this browser does not offer WebGPU, or it is switched off";
// Also what Chrome reports when WebGPU or hardware acceleration is switched off.
export const NO_ADAPTER =
  "WebGPU found no usable graphics adapter: there is none, or it is blocked or switched off";

const NOT_ISOLATED = "the page is not cross-origin isolated, so WebAssembly gets one thread here";

const ADDRESSABLE = 2 ** 32; // bytes of linear memory a wasm32 module can have

/** GiB; `navigator.deviceMemory` says no more than this on many devices that have more. */
export const MOST_TOLD = 8;

/** A cause, and the sentence that tells of it. */
type Reason = [Cause, string];

export function judge(
  name: string,
  variant: Variant,
  report: CapabilityReport,
  context: number,
  here: Pick<Surroundings, "gpu" | "deviceMemory">,
): Rung {
  const against = unmet(variant, report, context, here);
  const usable = against.length === 0;
  const rung: Rung = { variant: name, backend: variant.backend, usable, reasons: [], causes: [] };
  const found = usable ? scarceMemory(variant.memory, context, here.deviceMemory) : against;
  for (const [cause, sentence] of found) addReason(rung, cause, sentence);
  return rung;
}

export function addReason(rung: Rung, cause: Cause, sentence: string): void {
  rung.causes.push(cause);
  rung.reasons.push(sentence);
}

function unmet(
  variant: Variant,
  report: CapabilityReport,
  context: number,
  { gpu }: Pick<Surroundings, "gpu">,
): Reason[] {
  if (!report.secureContext) return [[{ code: "insecure" }, INSECURE]];
  if (variant.backend === "wasm") return unmetByWasm(variant, report, context);
  if (!gpu) return [[{ code: "no-webgpu" }, NO_WEBGPU]];
  if (!report.adapter) return [[{ code: "no-adapter" }, NO_ADAPTER]];
  return unmetByAdapter(variant, report);
}

function unmetByAdapter(variant: Variant, report: CapabilityReport): Reason[] {
  const reasons = variant.requires.features
    .filter((feature) => !report.features.includes(feature))
    .map((feature): Reason => {
      const cause: Cause = { code: "card-lacks", feature };
      return [cause, `the graphics adapter lacks the feature ${feature}`];
    });
  for (const [limit, needed] of Object.entries(variant.requires.limits)) {
    const offered = report.limits[limit];
    const cause: Cause = { code: "card-too-small", limit, needed };
    if (offered === undefined) {
      reasons.push([cause, `the browser does not know the limit ${limit}`]);
      // Alignments are the limits where smaller is better.
    } else if (limit.endsWith("Alignment") ? offered > needed : offered < needed) {
      const sentence = `the model needs ${limit} of ${needed}; this device offers ${offered}`;
      reasons.push([{ ...cause, offered }, sentence]);
    }
  }
  return reasons;
}

function unmetByWasm(variant: Variant, report: CapabilityReport, context: number): Reason[] {
  const reasons = variant.requires.features
    .filter((feature) => !report.webassembly.includes(feature))
    .map(
      (feature): Reason =>
        feature === "threads" && !report.crossOriginIsolated
          ? [{ code: "not-isolated" }, NOT_ISOLATED]
          : [{ code: "wasm-lacks", feature }, `this browser's WebAssembly lacks ${feature}`],
    );
  const needed = WASM_RESERVED + neededBytes(variant.memory, context);
  if (needed > ADDRESSABLE) {
    const { state_per_token } = variant.memory;
    const room = ADDRESSABLE - WASM_RESERVED - neededBytes(variant.memory, 0);
    const fits = state_per_token > 0 ? Math.max(0, Math.floor(room / state_per_token)) : 0;
    reasons.push([
      { code: "wasm-memory", needed, available: ADDRESSABLE, fits },
      `the model takes ${formatBytes(needed)} at a context of ${context} tokens and WebAssembly ` +
        `has ${formatBytes(ADDRESSABLE)}: ` +
        (fits > 0 ? `a context of at most ${fits} tokens fits` : "no context fits"),
    ]);
  }
  return reasons;
}

function scarceMemory(memory: Memory, context: number, device: number | undefined): Reason[] {
  const needed = neededBytes(memory, context);
  if (device === undefined || needed <= device * 2 ** 30 * 0.75) return [];
  const told = device >= MOST_TOLD ? `${device} GiB or more` : `${device} GiB`;
  const sentence =
    `it takes about ${formatBytes(needed)}, and the browser says that this device has ${told}: ` +
    "it may run out of memory";
  return [[{ code: "scarce-memory", needed }, sentence]];
}

/** Bytes of memory that a variant takes at a context of so many tokens. */
export function neededBytes(memory: Memory, context: number): number {
  return memory.weights + memory.scratch + memory.state_base + context * memory.state_per_token;
}
