/** Why a browser does not keep a conversation, or does not give it back. */

import { asTrouble } from "../engine";
import { sentence } from "../notice";
import { words } from "../words";

/** In sentences, with what can be done. */
export function whyNot(error: unknown): string {
  const { noRoom, refused } = words.conversation;
  if (error instanceof Error && error.name === "QuotaExceededError") return noRoom;
  const { code, message, hint } = asTrouble(error);
  if (code === "internal") return refused(String(error));
  return [message, hint].map(sentence).join(" ");
}
