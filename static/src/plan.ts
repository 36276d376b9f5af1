// Generated from compiler/bundle/schema.py; do not edit.

export const FORMAT = 5;

/** fits every static host (25 MiB on the tightest) */
export const SHARD_BYTES = 24 * 1024 * 1024;

/**
 * Names of files that a manifest may list, as a regular expression: they become paths and addresses,
 * and a bundle may come from a stranger.
 */
export const FILE_NAME =
  "(plans|tokenizer)/[\\w-]+[.]json|kernels/[\\w-]+[.](wgsl|wasm)|weights/[\\w-]+[.]bin";

/** WebGPU's default minStorageBufferOffsetAlignment, in bytes */
export const ALIGN = 256;

/**
 * Linear memory of a wasm variant, from address 0: the module's own data (the compiler sees to it
 * that it fits), then a stack and a workspace for each thread, then the plan's buffers.
 */
export const WASM_RESERVED = 1 << 20;

/** bytes of stack each thread has */
export const WASM_STACK = 1 << 16;

/**
 * Slots of the state buffer `control`, i32 each.
 *
 * The host writes them between submits; a step that samples advances POSITION, sets DONE and
 * leaves what it took in TAKEN and from TOKEN on, for the host to read back.
 */
export const Control = {
  /** index into `tokens` of the first token the next step consumes */
  POSITION: 0,
  /** rows of a run that hold real tokens; the rest are padding */
  COUNT: 1,
  /** number of positions the KV cache holds */
  CONTEXT: 2,
  /** 1 after a stop token or at the context's end: later steps neither advance nor keep */
  DONE: 3,
  /** the sampling seed's 32 bits */
  SEED: 4,
  /** tokens of the text that `embed_<N>` embeds */
  TEXT: 5,
  /** how many of the following slots hold stop tokens */
  STOP_COUNT: 6,
  /** first stop token; the last is before TAKEN */
  STOP: 7,
  /** how many tokens the last step took */
  TAKEN: 48,
  /** the first of them */
  TOKEN: 49,
} as const;

export const CONTROL_SLOTS = 64;

/** Slots of the state buffer `sampling`, f32 each. The values below switch a filter off. */
export const Sampling = {
  /** 0: greedy */
  TEMPERATURE: 0,
  /** 1 */
  TOP_P: 1,
  /** 0 */
  MIN_P: 2,
  /** 1 */
  REPETITION: 3,
  /** 0 */
  PRESENCE: 4,
  /** 0 */
  FREQUENCY: 5,
  /** 0; a whole number */
  TOP_K: 6,
} as const;

export const SAMPLING_SLOTS = 8;

/**
 * State buffer `counts`, i32[vocab]: how often each token was generated, plus this bit if the
 * prompt holds it (the repetition penalty looks at both, the other two at generated ones alone).
 */
export const PROMPT_BIT = 1 << 30;

/** One GPU buffer or span of wasm memory. */
export interface Buffer {
  /** weight: the tensor's name in the manifest; otherwise unique in the plan */
  name: string;
  kind: "weight" | "state" | "scratch" | "input" | "output";
  /** the fixed part */
  bytes: number;
  /** state only: added for every position of the chosen context */
  bytes_per_token: number;
}

/**
 * One entry point of the kernel file.
 *
 * WGSL: a compute shader. WebAssembly: an export `(pointer of each binding..., begin, end) -> i32`
 * (0: done) that does items begin .. end - 1 of the `grid[0]` a step has, so that threads can
 * share a step; `offset` and `bytes` are 0 and `workgroup` is [1, 1, 1].
 */
export interface Kernel {
  /** for people: profiles, error messages, `inspect` */
  name: string;
  /** the function to call */
  entry: string;
  /** span of its text in the kernel file, in bytes */
  offset: number;
  bytes: number;
  /** [x, y, z] invocations */
  workgroup: number[];
  /** workgroup memory used; WebAssembly: workspace one thread needs */
  workgroup_bytes: number;
  /** one per binding, in their order */
  access: ("read" | "read_write")[];
}

/** A range of a buffer bound to a kernel. */
export interface Binding {
  /** index into Plan.buffers */
  buffer: number;
  /** bytes, a multiple of ALIGN */
  offset: number;
  /** 0: to the buffer's end */
  bytes: number;
}

/** One dispatch. */
export interface Step {
  /** index into Plan.kernels */
  kernel: number;
  /** [x, y, z] workgroups */
  grid: number[];
  /** WGSL: in @binding order; WebAssembly: as the export takes them */
  bindings: Binding[];
  /** decoder layer it belongs to; null before the first and after the last */
  layer: number | null;
  /** of `grid`: n of a function's N rows need n/N of it, rounded up */
  rows_axis: number | null;
}

/**
 * A straight list of dispatches.
 *
 * `decode` consumes tokens[POSITION], leaves logits in its output `logits` (f32[vocab]), samples
 * tokens[POSITION + 1] and advances POSITION. `prefill_<N>` appends tokens[POSITION ..
 * POSITION + COUNT - 1], COUNT <= N, to the KV cache and leaves `control` as it is.
 * `verify_<N>` does what up to N steps of `decode` do: it guesses N - 1 tokens by look-up, sets
 * COUNT to the rows that have one, and takes what it samples as long as the guesses hold.
 * `embed_<N>`, in an embedder's plan alone, leaves in its output `embedding` (f32[dimensions])
 * what tokens[0 .. TEXT - 1] come to, TEXT <= N; POSITION is 0, and COUNT is TEXT or, where
 * Embedding.padded says so, N.
 */
export interface Function {
  /** tokens consumed by one run, at most */
  rows: number;
  /** name to index into Plan.buffers */
  outputs: Record<string, number>;
  steps: Step[];
}

/**
 * Everything one variant executes. State buffers the host knows by name: `control`, `tokens`
 * (i32[context + 1]) and, but for an embedder, `sampling`, `counts`. All state starts as zeros.
 */
export interface Plan {
  format: number;
  variant: string;
  recurrent: boolean;
  buffers: Buffer[];
  kernels: Kernel[];
  functions: Record<string, Function>;
}

/** A range of a file of the bundle. */
export interface Span {
  file: string;
  offset: number;
  bytes: number;
}

/**
 * How the values of a tensor are coded.
 *
 * Value = code * scale + minimum (`has_minimum`), (code + minimum) * scale (`in_scales` too), or
 * (code - 2**(bits - 1)) * scale for 4-bit codes without minimum; 8-bit codes are signed. 16 and
 * 32 bits are plain f16 and f32: group 0.
 */
export interface Scheme {
  bits: 4 | 8 | 16 | 32;
  /** values along the input axis that share a scale, a multiple of 32; 0: none */
  group: number;
  has_minimum: boolean;
  /** the minimum is counted in scales: a zero point, negated */
  in_scales: boolean;
}

/**
 * One weight as kernels read it: `parts` of one buffer, each starting at a multiple of ALIGN.
 *
 * Layouts (see compiler/quantize/layout.py): `linear` and `embedding` weights are `blocked`,
 * everything else is `plain` (C order). Its bytes are the spans of `shards`, in order.
 */
export interface Tensor {
  shape: number[];
  scheme: Scheme;
  layout: "plain" | "blocked";
  bytes: number;
  /** "values" (plain); "codes" and, when quantized, "scales"; file is "" */
  parts: Record<string, Span>;
  shards: Span[];
}

/** Size and hash of one file, checked before it is used. */
export interface FileEntry {
  bytes: number;
  /** hexadecimal */
  sha256: string;
}

/**
 * What a device must offer to run a variant, in WebGPU's own names.
 *
 * A wasm variant has no limits, and its features are WebAssembly's: "simd128", "relaxed-simd",
 * "threads" (shared memory, which only a cross-origin isolated page gets).
 */
export interface Requirements {
  features: string[];
  limits: Record<string, number>;
}

/**
 * Content of one binding of a self-test: u32 words, little endian.
 *
 * Word i is `words[i]` for i < len(words), otherwise (hash(i ^ seed) & keep) | fixed. The hash is
 * the PCG hash of Jarzynski and Olano (JCGT 9(3), 2020), in 32-bit arithmetic::
 *
 *     state = i * 747796405 + 2891336453
 *     word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737
 *     hash = (word >> 22) ^ word
 */
export interface TestInput {
  /** a multiple of 4 */
  bytes: number;
  seed: number;
  /** u32 */
  keep: number;
  /** u32 */
  fixed: number;
  /** u32 */
  words: number[];
}

/**
 * One kernel on known input with a known answer, computed by the compiler without the kernel.
 *
 * After running all items of `grid`, f32 number i * stride of binding `output` must lie within
 * tolerance * max(1, |expected[i]|) of expected[i].
 */
export interface SelfTest {
  /** index into Plan.kernels */
  kernel: number;
  grid: number[];
  /** one per binding of the kernel, those it writes included */
  inputs: TestInput[];
  /** index of the binding to look at */
  output: number;
  stride: number;
  expected: number[];
  tolerance: number;
}

/** Bytes of device memory; the state takes state_base + context * state_per_token. */
export interface Memory {
  weights: number;
  scratch: number;
  state_base: number;
  state_per_token: number;
}

/** A variant's kernels as they are fastest on the adapters of one vendor. */
export interface Tuned {
  /** file name */
  plan: string;
  /** file name */
  kernels: string;
  selftest: SelfTest[];
}

/** One set of kernels for the bundle's weights. */
export interface Variant {
  backend: "webgpu" | "wasm";
  /** file name */
  plan: string;
  /** file name */
  kernels: string;
  requires: Requirements;
  memory: Memory;
  /** weights `decode` reads: a row of embeddings, the chosen experts */
  bytes_per_token: number | null;
  /** steps of `decode`; null where bytes_per_token is */
  dispatches_per_token: number | null;
  selftest: SelfTest[];
  /** by WebGPU's `adapter.info.vendor`; what it asks for is in the above */
  tuned: Record<string, Tuned>;
}

/** Files that make up the tokenizer, as the Hugging Face libraries read them. */
export interface Tokenizer {
  /** tokenizer.json, in parts to be joined in order */
  model: string[];
  /** tokenizer_config.json */
  config: string;
}

/**
 * How an embedder turns a text into a vector.
 *
 * The prompt asked for and the text after it, without the white space around the two and in lower
 * case if `lowercase`, are cut to `limit` tokens, those of `before` and `after` included.
 */
export interface Embedding {
  dimensions: number;
  /** what of the tokens' vectors is put one after the other */
  pooling: ("cls" | "max" | "mean" | "mean_sqrt_len" | "weighted_mean" | "last")[];
  /** to length 1 */
  normalised: boolean;
  /** tokens of a text */
  limit: number;
  /** ids that the tokenizer puts around every text: [CLS], [SEP], ... */
  before: number[];
  after: number[];
  lowercase: boolean;
  /** texts to put in front, by what they are for: "query", "document" */
  prompts: Record<string, string>;
  /** a key of `prompts`; "" for none */
  default_prompt: string;
  /** whether all N rows of a function are to be computed, however short the text */
  padded: boolean;
}

/** Under which terms the model may be used, as its checkpoint says; "" for what it does not. */
export interface License {
  /** mostly SPDX's, in small letters; "other" with a name */
  id: string;
  name: string;
  /** an address, or the name of a file that the checkpoint has */
  link: string;
  /** what people must agree to, in a line */
  terms: string;
}

/**
 * What the checkpoint says of the model. [] is unknown: nothing was said, which is no "none".
 *
 * All of it is text of others, one line each, cut where it was long.
 */
export interface Card {
  license: License;
  /** mostly ISO 639 codes */
  languages: string[];
  /** that it was trained on, as far as they are named */
  datasets: string[];
  /** that it was made from */
  base_models: string[];
  authors: string[];
  tags: string[];
  /** http and https alone */
  links: string[];
  /** types of the checkpoint's weights, most bytes first: "BF16", "Q4_0" */
  stored: string[];
}

/** The only file whose content may change under its name. */
export interface Manifest {
  format: number;
  name: string;
  architecture: string;
  card: Card;
  /** what was compiled: a file name, or a hub id with its revision */
  source: string;
  parameters: number;
  vocabulary: number;
  /** positions the model was made for */
  context: number;
  /** what the engine allocates unless told otherwise */
  default_context: number;
  bits_per_weight: number;
  /** Jinja text; "" for a model without one */
  chat_template: string;
  /** bos_token, eos_token, ... as the chat template names them */
  special_tokens: Record<string, string>;
  /** ids that end an answer */
  stop_tokens: number[];
  tokenizer: Tokenizer;
  /** best first */
  variants: Record<string, Variant>;
  tensors: Record<string, Tensor>;
  files: Record<string, FileEntry>;
  /** what a person should know before using it */
  notes: string[];
  /** of an embedder; null for a model that generates text */
  embedding: Embedding | null;
}
