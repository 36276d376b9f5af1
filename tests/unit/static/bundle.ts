/** A small valid bundle to start tests from. */

import { type Embedding, FORMAT, type Manifest, type Plan } from "../../../static/src/plan";

export const HASH = "0".repeat(64);

export const EMBEDDING: Embedding = {
  dimensions: 4,
  pooling: ["mean"],
  normalised: true,
  limit: 12,
  before: [1],
  after: [2],
  lowercase: false,
  prompts: { query: "Q: ", document: "" },
  default_prompt: "",
  padded: false,
};

export function manifest(): Manifest {
  return {
    format: FORMAT,
    name: "tiny",
    architecture: "Tiny",
    card: {
      license: { id: "mit", name: "", link: "", terms: "" },
      languages: ["en"],
      datasets: [],
      base_models: [],
      authors: [],
      tags: [],
      links: [],
      stored: ["F32"],
    },
    source: "tiny.pt",
    parameters: 10,
    vocabulary: 8,
    context: 128,
    default_context: 64,
    bits_per_weight: 4.5,
    chat_template: "",
    special_tokens: {},
    embedding: null,
    stop_tokens: [0],
    tokenizer: { model: ["tokenizer/a.json"], config: "tokenizer/b.json" },
    variants: {
      f16: {
        backend: "webgpu",
        plan: "plans/p.json",
        kernels: "kernels/k.wgsl",
        requires: { features: ["shader-f16"], limits: {} },
        memory: { weights: 100, scratch: 10, state_base: 10, state_per_token: 4 },
        bytes_per_token: 90,
        dispatches_per_token: 1,
        selftest: [],
        tuned: {},
      },
      f32: {
        backend: "webgpu",
        plan: "plans/p.json",
        kernels: "kernels/k.wgsl",
        requires: { features: [], limits: { maxBufferSize: 1000 } },
        memory: { weights: 100, scratch: 10, state_base: 10, state_per_token: 4 },
        bytes_per_token: 90,
        dispatches_per_token: 1,
        selftest: [],
        tuned: {},
      },
    },
    tensors: {
      w: {
        shape: [2, 5],
        scheme: { bits: 32, group: 0, has_minimum: false, in_scales: false },
        layout: "plain",
        bytes: 40,
        parts: { values: { file: "", offset: 0, bytes: 40 } },
        shards: [
          { file: "weights/1.bin", offset: 4, bytes: 28 },
          { file: "weights/2.bin", offset: 0, bytes: 12 },
        ],
      },
      v: {
        shape: [1],
        scheme: { bits: 32, group: 0, has_minimum: false, in_scales: false },
        layout: "plain",
        bytes: 4,
        parts: { values: { file: "", offset: 0, bytes: 4 } },
        shards: [{ file: "weights/1.bin", offset: 0, bytes: 4 }],
      },
    },
    files: {
      "plans/p.json": { bytes: 10, sha256: HASH },
      "kernels/k.wgsl": { bytes: 10, sha256: HASH },
      "tokenizer/a.json": { bytes: 10, sha256: HASH },
      "tokenizer/b.json": { bytes: 10, sha256: HASH },
      "weights/1.bin": { bytes: 32, sha256: HASH },
      "weights/2.bin": { bytes: 12, sha256: HASH },
    },
    notes: [],
  };
}

export function plan(): Plan {
  const state = (name: string, bytes: number) => ({
    name,
    kind: "state" as const,
    bytes,
    bytes_per_token: 0,
  });
  const step = {
    kernel: 0,
    grid: [1, 1, 1],
    bindings: [{ buffer: 0, offset: 0, bytes: 0 }],
    layer: null,
    rows_axis: null,
  };
  return {
    format: FORMAT,
    variant: "f32",
    recurrent: false,
    buffers: [
      { name: "w", kind: "weight", bytes: 40, bytes_per_token: 0 },
      state("control", 256),
      { ...state("tokens", 4), bytes_per_token: 4 },
      state("sampling", 32),
      state("counts", 32),
      { name: "v", kind: "weight", bytes: 4, bytes_per_token: 0 },
    ],
    kernels: [
      {
        name: "k",
        entry: "main",
        offset: 0,
        bytes: 10,
        workgroup: [1, 1, 1],
        workgroup_bytes: 0,
        access: ["read"],
      },
    ],
    functions: {
      decode: { rows: 1, outputs: {}, steps: [step] },
      prefill_4: { rows: 4, outputs: {}, steps: [step] },
    },
  };
}

export function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
