/** A bundle's manifest: kept in this browser, or over the network. */

import type { Manifest } from "../plan";
import type { FileCache } from "./cache";
import { FileDownload, type Line, persevere, type Wanted } from "./download";
import { type Bytes, sha256 } from "./files";
import { parseManifest } from "./manifest";

export interface ManifestQuestion {
  line: Line;
  /** `sha256-<hex>`; null: whatever the server has. */
  integrity: string | null;
  /** Where manifests are kept by their hash; null: nowhere. */
  kept: FileCache | null;
  signal: AbortSignal;
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

async function fetchManifest({ line, integrity, signal }: ManifestQuestion): Promise<Bytes> {
  const download = new FileDownload(line, wanted(line.mirrors.first, integrity));
  return persevere(line, signal, () => download.run(signal));
}

function wanted(address: string, integrity: string | null): Wanted {
  return {
    path: "", // the mirrors' addresses are those of their manifests
    bytes: null,
    label: {
      name: `the model's manifest (${address})`,
      file: "manifest.json",
      wrong: `${address} is not the manifest this page expects`,
      ifWrong: "Reload the page; if it stays so, the site's model list is out of date.",
      ifMissing: "Check the model's address and the connection.",
    },
    // Its name does not change with its content, so the browser has to ask the server.
    cache: "no-cache",
    isRight: async (bytes) => integrity === null || `sha256-${await sha256(bytes)}` === integrity,
  };
}
