/** What stands in the dialog's token field, server by server: one server's goes to no other. */

import { isKept, tokenOf } from "./tokens";

/** What a person has typed and ticked. */
export interface Draft {
  token: string;
  keep: boolean;
}

export class TokenDrafts {
  private readonly drafts = new Map<string, Draft>();
  /** Whose fields are shown; "" while the address names no server that may be asked. */
  private origin = "";

  /** Forgets what was typed before; what the fields show for `origin` then. */
  begin(origin: string): Draft {
    this.drafts.clear();
    this.origin = origin;
    return remembered(origin);
  }

  /** The address now is one of `origin`; `stands` is in the fields, the result belongs there. */
  move(origin: string, stands: Draft): Draft {
    const left = this.origin;
    if (origin === left) return stands;
    this.origin = origin;
    // Typed before there was an address to send it to: it is meant for this one.
    if (left === "" && stands.token !== "") return stands;
    this.drafts.set(left, stands);
    return this.drafts.get(origin) ?? remembered(origin);
  }
}

function remembered(origin: string): Draft {
  return { token: tokenOf(origin), keep: isKept(origin) };
}
