/** What the page says when the context is full. */

import type { Action } from "./notice";

interface Ways {
  drop: () => void;
  anew: () => void;
}

/** `canDrop`: there are older turns to let go. */
export function overflow(canDrop: boolean, ways: Ways): { line: string; actions: Action[] } {
  const drop = { label: "Drop the oldest turns", testid: "drop-oldest", run: ways.drop };
  const anew = { label: "Start a new chat", testid: "start-anew", run: ways.anew };
  if (!canDrop) {
    return {
      line: "The last message alone takes up the model's whole context. Shorten it, or start anew.",
      actions: [anew],
    };
  }
  return {
    line: "The model can only look back so far. Older turns can be left out, or you can start anew.",
    actions: [drop, anew],
  };
}
