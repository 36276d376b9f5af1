/** The engine's reasons in the page's language; what was checked has the engine's own sentences. */

import type { Cause, EngineInfo, Rung } from "./engine";
import { rungName } from "./rung-name";
import { words } from "./words";

/** Why a rung is refused, or no good one; parts of a sentence. */
export function plain({ causes, reasons }: Pick<Rung, "causes" | "reasons">): string[] {
  return reasons.map((reason, index) => {
    const cause = causes[index];
    return cause ? said(cause) : reason;
  });
}

/** A note of the engine's in the page's language; null where only the engine has words for it. */
export function noted(note: string, { remarks }: Pick<EngineInfo, "remarks">): string | null {
  const remark = remarks.find((each) => each.note === note);
  if (remark === undefined) return null;
  const { tunedRefused, recovered, notKept, notStored, damaged, evicted, mirror } = words.remarks;
  switch (remark.code) {
    case "tuned-refused":
      return tunedRefused(remark.vendor);
    case "no-room":
      return notKept(remark.needed, remark.free);
    case "not-stored":
      return notStored;
    case "damaged":
      return damaged;
    case "evicted":
      return evicted(remark.bytes);
    case "mirror":
      return mirror(remark.served, remark.total, remark.mirror);
    case "recovered": {
      const { title } = words.faults[remark.error] ?? words.faults.internal;
      return recovered(title, remark.moved, rungName(remark.variant, remark.backend));
    }
    default:
      return null; // of a newer engine
  }
}

/** A cause as part of a sentence. */
export function said(cause: Cause): string {
  const { reasons } = words;
  switch (cause.code) {
    case "card-lacks":
    case "wasm-lacks":
      return reasons[cause.code](cause.feature);
    case "wasm-memory":
      return reasons["wasm-memory"](cause.needed, cause.available, cause.fits);
    case "scarce-memory":
      return reasons["scarce-memory"](cause.needed);
    case "fault":
      return reasons.fault[cause.error] ?? reasons.failed;
    default:
      return reasons[cause.code];
  }
}
