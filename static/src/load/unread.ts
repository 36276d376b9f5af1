/**
 * Requests that ended without an answer. Browsers do not tell a page whether another origin could
 * not be reached or does not let the page read what it sent; people have to be told both.
 */

/** The origin of `address`, if that is not the page's own. */
export function otherOrigin(address: string | URL): string | undefined {
  const { origin } = new URL(address);
  return origin === globalThis.location?.origin ? undefined : origin;
}

/** What went wrong, after `fetch` itself threw. */
export function unanswered(address: string | URL, error: unknown): string {
  const other = otherOrigin(address);
  if (other === undefined) return String(error);
  const here = globalThis.location?.origin;
  const cors = `does not send "Access-Control-Allow-Origin: ${here}" (or *)`;
  return `${other} cannot be reached, or ${cors}: ${String(error)}`;
}
