/** What loading and answering have to say about themselves. */

import type { EngineInfo, Remark } from "./api";

/** Adds what has not been said yet. */
export function addRemark(
  { notes, remarks }: Pick<EngineInfo, "notes" | "remarks">,
  remark: Remark,
): void {
  if (notes.includes(remark.note)) return;
  notes.push(remark.note);
  remarks.push(remark);
}
