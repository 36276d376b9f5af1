/**
 * Access tokens of servers: in memory, and beyond a reload only where somebody says so, in this
 * tab's storage. They are part of no conversation, so that no export can hold them.
 */

import { session } from "../storage";

const PREFIX = "webkiln.token ";

const tokens = new Map<string, string>();

export function tokenOf(origin: string): string {
  return tokens.get(origin) ?? session.read(PREFIX + origin) ?? "";
}

export function isKept(origin: string): boolean {
  return (session.read(PREFIX + origin) ?? "") !== "";
}

export function rememberToken(origin: string, token: string, keep: boolean): void {
  tokens.set(origin, token);
  if (keep && token !== "") session.write(PREFIX + origin, token);
  else session.remove(PREFIX + origin);
}
