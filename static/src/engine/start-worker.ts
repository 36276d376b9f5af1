/**
 * Starts the engine's own workers, in whatever page the engine was imported by.
 *
 * A page of another origin may not start a worker by its address: it starts one from a blob, which
 * imports the script (docs/hosting.md says what the two sites have to allow for that).
 */

import { trustedScripts } from "../trusted";
import { WebkilnError } from "./api";

export type WorkerFile = "worker.js" | "thread.js" | "pace.js";

/** The policy's name, for sites that say in a Content-Security-Policy which they allow. */
const POLICY = "webkiln-engine";

const addressOf = trustedScripts(POLICY, (file: WorkerFile) => {
  const address = new URL(`./${file}`, import.meta.url);
  return address.origin === globalThis.location.origin ? address.href : importing(address);
});

/** One of the files beside this module; errors come as its `error` event. */
export function startWorker(file: WorkerFile, name: string): Worker {
  try {
    return new Worker(addressOf(file), { type: "module", name });
  } catch (error) {
    throw notStarted(`the page does not let the engine start its worker: ${String(error)}`);
  }
}

/** A worker that never was: most often the page's policy forbids it. */
export function notStarted(message: string): WebkilnError {
  const { origin } = new URL(import.meta.url);
  const abroad = origin !== globalThis.location.origin;
  const needed = abroad ? `script-src ${origin}; worker-src blob: ${origin}` : "worker-src 'self'";
  return new WebkilnError(
    "worker-lost",
    message,
    `Allow it in the page's Content-Security-Policy, if it has one: ${needed}; and "${POLICY}" in ` +
      "trusted-types, if it requires them.",
  );
}

const blobs = new Map<string, string>();

/** A script of this origin that is the script of another: nothing else may start a worker. */
function importing({ href }: URL): string {
  const known = blobs.get(href);
  if (known) return known;
  const source = `import ${JSON.stringify(href)};\n`;
  const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  blobs.set(href, blob);
  return blob;
}
