/** In what order rungs are tried, and what is said when none can be. */

import type { CapabilityReport, ErrorCode, Rung } from "../engine/api";
import { WebkilnError } from "../engine/api";
import { badRequest } from "../engine/requests";
import type { Wishes } from "./check";
import { addReason, NO_ADAPTER, NO_WEBGPU } from "./judge";

const CRASHED = "the last attempt to load on it ended in a crash";
const EMULATED = "the graphics adapter is emulated in software";

/**
 * The manifest's order, with two exceptions: an emulated adapter comes after WebAssembly, which is
 * much faster; a rung that crashed comes last when it (or its backend) is wished for by name or
 * nothing else is left, and is not usable otherwise. Notes both in the rungs' reasons.
 */
export function trialOrder(report: CapabilityReport, wishes: Wishes): string[] {
  const forced = wishes.backend !== null || wishes.variant !== null;
  const wished = report.rungs.filter((rung) => rung.usable && isWished(rung, wishes));
  const crashed = wished.filter((rung) => wishes.crashed.includes(rung.variant));
  const sound = wished.filter((rung) => !crashed.includes(rung));
  for (const rung of crashed) {
    rung.crashed = true;
    addReason(rung, { code: "crashed" }, CRASHED);
    rung.usable = forced || sound.length === 0;
  }
  const isEmulated = (rung: Rung) => rung.backend === "webgpu" && report.adapter?.fallback === true;
  const order = [
    ...sound.filter((rung) => !isEmulated(rung)),
    ...sound.filter(isEmulated),
    ...crashed.filter((rung) => rung.usable),
  ];
  const first = order[0];
  const passedOver = first !== undefined && !isEmulated(first);
  const consequence = passedOver
    ? "it is passed over, because WebAssembly is faster"
    : "it works, but slowly";
  for (const rung of report.rungs.filter(isEmulated)) {
    const code = passedOver ? "emulated-passed-over" : "emulated";
    if (rung.usable) addReason(rung, { code }, `${EMULATED}: ${consequence}`);
  }
  return order.map((rung) => rung.variant);
}

/** Whether a forced backend or variant leaves this rung in. */
export function isWished(rung: Rung, wishes: Wishes): boolean {
  return (
    (wishes.backend === null || rung.backend === wishes.backend) &&
    (wishes.variant === null || rung.variant === wishes.variant)
  );
}

/** Throws unless some rung can be tried, with every refused rung's reasons. */
export function requireChoice(report: CapabilityReport, wishes: Wishes): void {
  const { rungs } = report;
  if (wishes.variant !== null && !rungs.some((rung) => rung.variant === wishes.variant)) {
    const names = rungs.map((rung) => rung.variant).join(", ");
    throw badRequest("variant", wishes.variant, `one this model was compiled for: ${names}`);
  }
  if (report.chosen !== null) return;
  const asked = rungs.filter((rung) => isWished(rung, wishes));
  const message =
    asked.length > 0
      ? allReasons(asked)
      : `the model was not compiled for the backend ${wishes.backend}`;
  throw new WebkilnError(...diagnose(report, asked, message));
}

export function allReasons(rungs: Rung[]): string {
  const reasons = rungs.map(
    (rung) => `${rung.variant}: ${rung.reasons.join("; ") || "not asked for"}`,
  );
  return `this device cannot run the model. ${reasons.join(". ")}`;
}

function diagnose(
  report: CapabilityReport,
  asked: Rung[],
  message: string,
): [ErrorCode, string, string] {
  if (!report.secureContext) {
    return ["insecure-context", message, "Open the page over https, or on localhost."];
  }
  const reasons = asked.flatMap((rung) => rung.reasons);
  if (reasons.includes(NO_WEBGPU)) {
    return [
      "webgpu-unavailable",
      message,
      "Use a recent Chrome, Edge, Firefox or Safari, and switch WebGPU on in its settings.",
    ];
  }
  if (reasons.includes(NO_ADAPTER)) {
    return [
      "no-adapter",
      message,
      "Switch on hardware acceleration in the browser's settings and update the graphics driver.",
    ];
  }
  return [
    "device-too-small",
    message,
    "Choose a smaller model or context, or open the page on another device.",
  ];
}
