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

/**
 * The headers that a page gets: all of the host's, its security policy above all, and what it
 * lacks for isolation. Where the host isolates, nothing is added.
 */
export function passedOn(headers: Headers): Headers {
  const all = new Headers(headers);
  for (const name of OF_THE_TRANSFER) all.delete(name);
  if (isolates(all)) return all;
  for (const [name, value] of Object.entries(ISOLATION)) if (!all.has(name)) all.set(name, value);
  return all;
}
