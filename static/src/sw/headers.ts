/** Headers of what the service worker answers. */

/** With these on the page and on its workers' scripts, WebAssembly gets threads. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};
const EMBEDDER = ["require-corp", "credentialless"];

/** True of the way over the network, or wrong of a body that has been decoded. */
const OF_THE_TRANSFER = ["content-encoding", "content-length", "transfer-encoding", "vary"];

/** Whether a page with these headers is cross-origin isolated. */
export function isolates(headers: Headers): boolean {
  const opener = value(headers, "Cross-Origin-Opener-Policy");
  return (
    opener === "same-origin" && EMBEDDER.includes(value(headers, "Cross-Origin-Embedder-Policy"))
  );
}

/** A header's value without its parameters. */
function value(headers: Headers, name: string): string {
  return headers.get(name)?.split(";")[0]?.trim() ?? "";
}

/** Headers by name, as headers.json of a site has them. */
export type Listed = Readonly<Record<string, string>>;

/** Throws on what is no list of headers. */
export function parseHeaders(text: string): Listed {
  const listed = JSON.parse(text) as Listed;
  new Headers(listed); // which knows the names and values there can be
  return listed;
}

/**
 * The headers that a page gets: all of the host's, its security policy above all, and of what the
 * site wants (`listed`) those that the host does not send. Above all workers need the policy: it is
 * their own script's that binds them, not the page's. Where the host isolates, it sets headers by
 * itself, and nothing is added.
 */
export function passedOn(headers: Headers, listed: Listed = {}): Headers {
  const all = new Headers(headers);
  for (const name of OF_THE_TRANSFER) all.delete(name);
  if (isolates(all)) return all;
  const wanted = Object.entries({ ...ISOLATION, ...listed });
  for (const [name, value] of wanted) if (!all.has(name)) all.set(name, value);
  return all;
}
