/** What is known of a model, in the page's words. */

import type { About, Assessment, FitCause } from "../../engine/assessment";
import { panels } from "../panel-words";
import { said } from "../plain";
import { words } from "../words";

/** Why the verdict is what it is: sentences. */
export function reasons({ causes }: Pick<Assessment, "causes">): string[] {
  const told = causes.filter(({ code }) => code !== "emulated-passed-over").map(reason);
  return [...new Set(told)].map((text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
}

function reason(cause: FitCause): string {
  const { because } = panels.library;
  switch (cause.code) {
    case "memory-unknown":
      return because.memoryUnknown(cause.needed);
    case "ran-out":
      return cause.context > 0 ? because.ranOutAt(cause.context) : because.ranOut;
    case "disk":
      return because.disk(cause.missing, cause.free);
    case "slow":
      return because.slow;
    case "unread":
      return because.unread(words.faults[cause.error].title);
    case "card-too-small":
      return because.limit(cause.limit, cause.needed, cause.offered);
    default:
      return said(cause);
  }
}

/** "4-bit codes (90%), 8-bit codes (10%); in the checkpoint: Q4_1". */
export function quantization({ codings, card }: Pick<About, "codings" | "card">): string {
  const { coded, plain, original } = panels.library;
  const shares = new Map<string, number>();
  for (const { share, bits, group } of codings) {
    const name = group > 0 ? coded(bits) : plain(bits);
    shares.set(name, (shares.get(name) ?? 0) + share);
  }
  const told = [...shares].filter(([, share]) => share >= 0.01);
  const parts = told.map(([name, share]) => panels.library.share(name, share));
  if (card.stored.length > 0) parts.push(original(card.stored.slice(0, 3)));
  return parts.join(" · ");
}

/** What the checkpoint calls its licence; "" where it names none. */
export function licence({ license }: About["card"]): string {
  const name = license.id === "" || license.id === "other" ? license.name : license.id;
  return name || license.id;
}

/** An address that a click may follow; null for anything else that a checkpoint may say. */
export function followable(text: string): string | null {
  try {
    const { protocol, href } = new URL(text);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}
