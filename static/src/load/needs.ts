/** Which files of a bundle a device needs, and what they weigh. */

import type { FileEntry, Manifest, Variant } from "../plan";

/** A variant, or its kernels tuned for a vendor. */
export type Program = Pick<Variant, "plan" | "kernels">;

export function tokenizerFiles({ tokenizer }: Manifest): string[] {
  return [...tokenizer.model, tokenizer.config];
}

export function weightFiles({ tensors }: Manifest): string[] {
  const shards = Object.values(tensors).flatMap(({ shards }) => shards.map(({ file }) => file));
  return [...new Set(shards)];
}

/** What running one variant takes, each file once. */
export function filesOf(manifest: Manifest, { plan, kernels }: Program): string[] {
  return [...new Set([plan, kernels, ...tokenizerFiles(manifest), ...weightFiles(manifest)])];
}

/** Bytes of the files, each counted once. */
export function sizeOf(manifest: Manifest, names: string[]): number {
  return entriesOf(manifest, names).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Bytes of those files that are kept whole, as far as their size tells. */
export function keptOf(manifest: Manifest, names: string[], kept: Map<string, number>): number {
  const whole = entriesOf(manifest, names).filter(
    ({ bytes, sha256 }) => kept.get(sha256) === bytes,
  );
  return whole.reduce((sum, { bytes }) => sum + bytes, 0);
}

function entriesOf({ files }: Manifest, names: string[]): FileEntry[] {
  return [...new Set(names)].flatMap((name) => files[name] ?? []);
}
