/** A bundle's manifest over the network. */

import { WebkilnError } from "../engine/api";
import type { Manifest } from "../plan";
import { sha256 } from "./files";
import { parseManifest } from "./manifest";

/** Fetches manifest.json, checks it against `integrity` (`sha256-<hex>`) and parses it. */
export async function fetchManifest(
  address: string,
  integrity: string | null,
  signal?: AbortSignal,
): Promise<Manifest> {
  // Its name does not change with its content, so the browser has to ask the server.
  const init: RequestInit = { cache: "no-cache", ...(signal ? { signal } : {}) };
  const response = await fetch(address, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw unreachable(address, String(error));
  });
  if (!response.ok) throw unreachable(address, `the server answered ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (integrity !== null && `sha256-${await sha256(bytes)}` !== integrity) {
    throw new WebkilnError(
      "integrity",
      `${address} is not the manifest this page expects`,
      "Reload the page; if it stays so, the site's model list is out of date.",
    );
  }
  return parseManifest(bytes);
}

function unreachable(address: string, cause: string): WebkilnError {
  return new WebkilnError(
    "network",
    `the model's manifest could not be fetched from ${address}: ${cause}`,
    "Check the model's address and the connection.",
  );
}
