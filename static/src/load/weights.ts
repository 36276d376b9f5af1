/** Weight shards into device buffers. */

import type { Manifest, Plan } from "../plan";
import { type Bytes, type FileStore, MAX_IN_FLIGHT } from "./files";

/** Where a stretch of a shard belongs. */
interface Piece {
  tensor: string;
  tensorOffset: number;
  shardOffset: number;
  bytes: number;
}

export interface WeightSink {
  writeWeight(tensor: string, offset: number, data: Bytes): void;
  /** Resolves once what was written so far no longer occupies memory of the page. */
  settle(): Promise<void>;
}

/** Shards in the order tensors need them, each with the pieces it holds. */
export function shardPieces(manifest: Manifest, plan: Plan): Map<string, Piece[]> {
  const pieces = new Map<string, Piece[]>();
  for (const buffer of plan.buffers) {
    if (buffer.kind !== "weight") continue;
    let tensorOffset = 0;
    for (const span of manifest.tensors[buffer.name]?.shards ?? []) {
      const list = pieces.get(span.file) ?? [];
      list.push({
        tensor: buffer.name,
        tensorOffset,
        shardOffset: span.offset,
        bytes: span.bytes,
      });
      pieces.set(span.file, list);
      tensorOffset += span.bytes;
    }
  }
  return pieces;
}

/** Streams every shard to the sink; never more than four are held at a time. */
export async function loadWeights(
  pieces: Map<string, Piece[]>,
  store: FileStore,
  sink: WeightSink,
  signal: AbortSignal,
): Promise<void> {
  const queue = [...pieces];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [file, parts] = next;
      const bytes = await store.get(file, signal);
      for (const { tensor, tensorOffset, shardOffset, bytes: length } of parts) {
        sink.writeWeight(tensor, tensorOffset, bytes.subarray(shardOffset, shardOffset + length));
      }
      await sink.settle();
    }
  };
  await Promise.all(Array.from({ length: MAX_IN_FLIGHT }, worker));
}
