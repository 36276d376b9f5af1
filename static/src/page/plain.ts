/** The engine's reasons in the page's language; what was checked has the engine's own sentences. */

import type { Cause, Rung } from "./engine";
import { words } from "./words";

/** Why a rung is refused, or no good one; parts of a sentence. */
export function plain({ causes, reasons }: Pick<Rung, "causes" | "reasons">): string[] {
  return reasons.map((reason, index) => {
    const cause = causes[index];
    return cause ? said(cause) : reason;
  });
}

function said(cause: Cause): string {
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
