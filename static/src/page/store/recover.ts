/** At the start of a page: what pages before it left, and what their tab kept in older versions. */

import { session } from "../storage";
import { takeHold } from "./hold";
import { newSummary } from "./new";
import { parseTurns } from "./records";
import type { ConversationStore } from "./store";
import { titleOf } from "./title";
import { allUnsaved, applyUnsaved, forgetUnsaved, type Unsaved } from "./unsaved";

/** Where the page kept its only conversation before there was a database. */
const FORMER = "webkiln.conversation";

/** Puts back what closing pages could not write. */
export async function recover(store: ConversationStore): Promise<void> {
  for (const left of allUnsaved()) {
    const { id } = left.summary;
    // Whoever has it open goes on with it; nothing may be written over that.
    const hold = await takeHold(id, { ifAvailable: true });
    if (!hold) continue;
    try {
      await putBack(store, left);
      forgetUnsaved(id);
    } finally {
      hold.release();
    }
  }
}

async function putBack(store: ConversationStore, left: Unsaved): Promise<void> {
  const found = await store.read(left.summary.id);
  if (!found && left.stored) return; // deleted in the meantime
  const { summary, turns } = found ?? { summary: left.summary, turns: [] };
  if (!applyUnsaved(turns, left.turns)) return;
  const { updated } = left.summary;
  const title = summary.named ? summary.title : titleOf(turns);
  await store.put([{ summary: { ...summary, title, updated }, turns }]);
}

/** The conversation that this tab kept by itself, taken over once; its id, or null. */
export async function takeOverFormer(store: ConversationStore): Promise<string | null> {
  const turns = parseTurns(session.read(FORMER));
  if (turns.length === 0) return null;
  const summary = { ...newSummary(), title: titleOf(turns) };
  await store.put([{ summary, turns }]);
  session.remove(FORMER);
  return summary.id;
}
