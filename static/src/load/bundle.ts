/** A bundle's manifest: kept in this browser, or over the network. */

import { type ErrorValues, WebkilnError } from "../engine/api";
import type { Manifest } from "../plan";
import type { FileCache } from "./cache";
import { type Bytes, sha256 } from "./files";
import { parseManifest } from "./manifest";

export interface ManifestQuestion {
  address: string;
  /** `sha256-<hex>`; null: whatever the server has. */
  integrity: string | null;
  /** Where manifests are kept by their hash; null: nowhere. */
  kept: FileCache | null;
  signal?: AbortSignal;
}

export interface Found {
  manifest: Manifest;
  /** Its SHA-256; null in an insecure context, which cannot hash. */
  hash: string | null;
}

/**
 * The manifest, checked against `integrity` and parsed. One that is expected and kept is not asked
 * for: what a page was made for goes on working offline, and beside a newer one on the server.
 */
export async function findManifest(question: ManifestQuestion): Promise<Found> {
  const { integrity, kept } = question;
  const wanted = integrity?.replace(/^sha256-/, "") ?? null;
  const known = wanted && kept ? await readKept(kept, wanted) : null;
  if (known) return { manifest: parseManifest(known), hash: wanted };
  const bytes = await fetchManifest(question);
  const manifest = parseManifest(bytes);
  const hash = wanted ?? (globalThis.isSecureContext ? await sha256(bytes) : null);
  // Without room it is asked for again at the next visit, which is no news to anybody.
  if (hash) await kept?.write(hash, bytes).catch(() => {});
  return { manifest, hash };
}

/** The bytes kept under a hash, if they still have it. */
export async function readKept(kept: FileCache, hash: string): Promise<Bytes | null> {
  const bytes = await kept.read(hash).catch(() => null);
  return bytes && (await sha256(bytes)) === hash ? bytes : null;
}

async function fetchManifest({ address, integrity, signal }: ManifestQuestion): Promise<Bytes> {
  // Its name does not change with its content, so the browser has to ask the server.
  const init: RequestInit = { cache: "no-cache", ...(signal ? { signal } : {}) };
  const response = await fetch(address, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw unreachable(address, String(error));
  });
  const { ok, status } = response;
  if (!ok) throw unreachable(address, `the server answered ${status}`, { status });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (integrity !== null && `sha256-${await sha256(bytes)}` !== integrity) {
    throw new WebkilnError(
      "integrity",
      `${address} is not the manifest this page expects`,
      "Reload the page; if it stays so, the site's model list is out of date.",
      { file: "manifest.json" },
    );
  }
  return bytes;
}

function unreachable(address: string, cause: string, values: ErrorValues = {}): WebkilnError {
  return new WebkilnError(
    "network",
    `the model's manifest could not be fetched from ${address}: ${cause}`,
    "Check the model's address and the connection.",
    { file: "manifest.json", ...values },
  );
}
