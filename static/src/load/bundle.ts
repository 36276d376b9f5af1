/** A bundle's manifest: kept in this browser, or from wherever its fetcher has it. */

import type { Manifest } from "../plan";
import type { FileCache } from "./cache";
import type { Bytes } from "./files";
import { sha256 } from "./hash";
import { parseManifest } from "./manifest";
import type { Label } from "./mirrors";

export interface ManifestQuestion {
  /** `sha256-<hex>`; null: whatever the server has. */
  integrity: string | null;
  /** Where manifests are kept by their hash; null: nowhere. */
  kept: FileCache | null;
  /** The server's copy, found to be what `integrity` says. */
  fetch(): Promise<Bytes>;
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
  const bytes = await question.fetch();
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

/** Whether these are the bytes that are expected; any are, without an expectation. */
export async function isExpected(bytes: Bytes, integrity: string | null): Promise<boolean> {
  return integrity === null || `sha256-${await sha256(bytes)}` === integrity;
}

/** What errors call the manifest of an address. */
export function manifestLabel(address: string): Label {
  return {
    name: `the model's manifest (${address})`,
    file: "manifest.json",
    wrong: `${address} is not the manifest this page expects`,
    ifWrong:
      "Update the page where it offers that, or else reload it; if it stays so, the site's model " +
      "list is out of date.",
    ifMissing: "Check the model's address and the connection.",
  };
}
