/** Readers of the manifest and the plan, one per interface of plan.ts. */

import type {
  Binding,
  Buffer,
  Card,
  Embedding,
  FileEntry,
  Kernel,
  License,
  Manifest,
  Memory,
  Plan,
  Function as PlanFunction,
  Requirements,
  Scheme,
  SelfTest,
  Span,
  Step,
  Tensor,
  TestInput,
  Tokenizer,
  Tuned,
  Variant,
} from "../plan";
import { dictionary, flag, list, nullable, oneOf, real, record, text, whole } from "./decode";

const span = record<Span>({ file: text, offset: whole, bytes: whole });

const tensor = record<Tensor>({
  shape: list(whole),
  scheme: record<Scheme>({
    bits: oneOf(4, 8, 16, 32),
    group: whole,
    has_minimum: flag,
    in_scales: flag,
  }),
  layout: oneOf("plain", "blocked"),
  bytes: whole,
  parts: dictionary(span),
  shards: list(span),
});

const selftest = record<SelfTest>({
  kernel: whole,
  grid: list(whole),
  inputs: list(
    record<TestInput>({ bytes: whole, seed: whole, keep: whole, fixed: whole, words: list(whole) }),
  ),
  output: whole,
  stride: whole,
  expected: list(real),
  tolerance: real,
});

const variant = record<Variant>({
  backend: oneOf("webgpu", "wasm"),
  plan: text,
  kernels: text,
  requires: record<Requirements>({ features: list(text), limits: dictionary(whole) }),
  memory: record<Memory>({
    weights: whole,
    scratch: whole,
    state_base: whole,
    state_per_token: whole,
  }),
  bytes_per_token: nullable(whole),
  dispatches_per_token: nullable(whole),
  selftest: list(selftest),
  tuned: dictionary(record<Tuned>({ plan: text, kernels: text, selftest: list(selftest) })),
});

const card = record<Card>({
  license: record<License>({ id: text, name: text, link: text, terms: text }),
  languages: list(text),
  datasets: list(text),
  base_models: list(text),
  authors: list(text),
  tags: list(text),
  links: list(text),
  stored: list(text),
});

export const readManifest = record<Manifest>({
  format: whole,
  name: text,
  architecture: text,
  card,
  source: text,
  parameters: whole,
  vocabulary: whole,
  context: whole,
  default_context: whole,
  bits_per_weight: real,
  chat_template: text,
  special_tokens: dictionary(text),
  stop_tokens: list(whole),
  tokenizer: record<Tokenizer>({ model: list(text), config: text }),
  variants: dictionary(variant),
  tensors: dictionary(tensor),
  files: dictionary(record<FileEntry>({ bytes: whole, sha256: text })),
  notes: list(text),
  embedding: nullable(
    record<Embedding>({
      dimensions: whole,
      pooling: list(oneOf("cls", "max", "mean", "mean_sqrt_len", "weighted_mean", "last")),
      normalised: flag,
      limit: whole,
      before: list(whole),
      after: list(whole),
      lowercase: flag,
      prompts: dictionary(text),
      default_prompt: text,
      padded: flag,
    }),
  ),
});

const step = record<Step>({
  kernel: whole,
  grid: list(whole),
  bindings: list(record<Binding>({ buffer: whole, offset: whole, bytes: whole })),
  layer: nullable(whole),
  rows_axis: nullable(whole),
});

export const readPlan = record<Plan>({
  format: whole,
  variant: text,
  recurrent: flag,
  buffers: list(
    record<Buffer>({
      name: text,
      kind: oneOf("weight", "state", "scratch", "input", "output"),
      bytes: whole,
      bytes_per_token: whole,
    }),
  ),
  kernels: list(
    record<Kernel>({
      name: text,
      entry: text,
      offset: whole,
      bytes: whole,
      workgroup: list(whole),
      workgroup_bytes: whole,
      access: list(oneOf("read", "read_write")),
    }),
  ),
  functions: dictionary(
    record<PlanFunction>({ rows: whole, outputs: dictionary(whole), steps: list(step) }),
  ),
});
