/** What the page says when the context is full. */

import type { Action } from "./notice";
import { words } from "./words";

interface Ways {
  drop: () => void;
  anew: () => void;
}

/** `canDrop`: there are older turns to let go. */
export function overflow(canDrop: boolean, ways: Ways): { line: string; actions: Action[] } {
  const drop = { label: words.overflow.drop, testid: "drop-oldest", run: ways.drop };
  const anew = { label: words.overflow.anew, testid: "start-anew", run: ways.anew };
  if (!canDrop) {
    return { line: words.overflow.alone, actions: [anew] };
  }
  return { line: words.overflow.older, actions: [drop, anew] };
}
