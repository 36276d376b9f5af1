import { expect, test } from "vitest";
import type { FileStore } from "../../../../static/src/load/files";
import { loadWeights, shardPieces, type WeightSink } from "../../../../static/src/load/weights";
import { manifest, plan } from "../bundle";

test("each tensor's bytes arrive at their place, whatever shards they are spread over", async () => {
  const shards: Record<string, Uint8Array<ArrayBuffer>> = {
    "weights/1.bin": Uint8Array.from({ length: 32 }, (_, index) => index),
    "weights/2.bin": Uint8Array.from({ length: 12 }, (_, index) => 100 + index),
  };
  const tensors = { w: new Uint8Array(40), v: new Uint8Array(4) };
  const fetched: string[] = [];
  const store = {
    get: async (name: string) => {
      fetched.push(name);
      return shards[name];
    },
  } as unknown as FileStore;
  const sink: WeightSink = {
    writeWeight: (tensor, offset, data) => tensors[tensor as "w" | "v"].set(data, offset),
    settle: async () => {},
  };
  const { signal } = new AbortController();
  await loadWeights(shardPieces(manifest(), plan()), store, sink, signal);
  expect([...tensors.v]).toEqual([0, 1, 2, 3]);
  expect([...tensors.w]).toEqual([
    ...Array.from({ length: 28 }, (_, index) => 4 + index),
    ...Array.from({ length: 12 }, (_, index) => 100 + index),
  ]);
  expect(fetched.sort()).toEqual(["weights/1.bin", "weights/2.bin"]);
});

test("never more than four shards are held, whatever the device takes its time over", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `weights/${index}.bin`);
  const pieces = new Map(
    names.map((name) => [name, [{ tensor: "w", tensorOffset: 0, shardOffset: 0, bytes: 1 }]]),
  );
  let held = 0;
  let most = 0;
  const get = async (): Promise<Uint8Array> => {
    held += 1;
    most = Math.max(most, held);
    return new Uint8Array(1);
  };
  const settle = async (): Promise<void> => {
    await new Promise((go) => setTimeout(go));
    held -= 1;
  };
  const sink: WeightSink = { writeWeight: () => {}, settle };
  const store = { get } as unknown as FileStore;
  await loadWeights(pieces, store, sink, new AbortController().signal);
  expect(most).toBe(4);
  expect(held).toBe(0);
});
