/** Which conversation the page's address names: `#chat=<id>`, which no server gets to see. */

import { session } from "./storage";

/** The conversation of this tab, for an address that names none. */
const TAB = "webkiln.chat";

/** Null where the address names none. */
export function addressedChat(hash: string): string | null {
  return /^#chat=([0-9A-Za-z-]{1,64})$/.exec(hash)?.[1] ?? null;
}

/** What this tab should open first. */
export function firstChat(): string | null {
  return addressedChat(location.hash) ?? session.read(TAB);
}

/** `null`: a conversation that does not exist yet. `push` makes a step for "back". */
export function setAddress(id: string | null, push: boolean): void {
  if (id === null) session.remove(TAB);
  else session.write(TAB, id);
  if (addressedChat(location.hash) === id) return;
  const address = location.pathname + location.search + (id === null ? "" : `#chat=${id}`);
  history[push ? "pushState" : "replaceState"](null, "", address);
}
