/**
 * The engine's public API: what `/engine.js` exports.
 *
 * ```js
 * import { createEngine } from "/engine.js";
 * const engine = await createEngine({ model: "/models/smollm2-135m-instruct/" });
 * const stream = await engine.chat.completions.create({
 *   messages: [{ role: "user", content: "Why is the sky blue?" }],
 *   stream: true,
 * });
 * for await (const chunk of stream) console.log(chunk.choices[0].delta.content);
 * ```
 */

import type { Connection } from "../device/connection";
import type { StorageUse, StoredModel } from "../load/stored";
import type { Download } from "./download";
import type { RequestRecord } from "./traffic";

export type { Connection, RequestRecord, StorageUse, StoredModel };

export type Backend = "webgpu" | "wasm";

export interface EngineOptions {
  /** Address of the bundle's folder (or of its manifest.json), relative to the page or absolute. */
  model: string;
  /** Addresses of further folders with the same bundle, asked where the first one fails. */
  mirrors?: string[];
  /** Expected SHA-256 of manifest.json, `sha256-<hex>`; a mismatch throws `integrity`. */
  integrity?: string;
  /** Use this backend or throw; by default the best the device offers. */
  backend?: Backend;
  /** Use this variant or throw, even on a software adapter and after a crash. */
  variant?: string;
  /** Positions of the KV cache, in tokens; by default the manifest's `default_context`. */
  context?: number;
  /** Threads of the wasm backend, at most; by default what suits the device's cores. */
  threads?: number;
  /** Kernels tuned for the graphics adapter's vendor, where the bundle has some; default true. */
  tuned?: boolean;
  onProgress?: (progress: Progress) => void;
  /**
   * The engine had to load again (a lost device, too little memory), perhaps on a lower rung, and
   * goes on: `info.notes` says why, `info.report` holds the reasons.
   */
  onChange?: (info: EngineInfo) => void;
  /** Pauses, resumes and cancels the download. */
  download?: Download;
  /** Requests that the engine's workers made; those of the page itself are on its own timeline. */
  onRequests?: (requests: RequestRecord[]) => void;
  signal?: AbortSignal;
}

/** What `createEngine` is doing. Byte counts cover weights, kernels, plan and tokenizer. */
export interface Progress {
  phase: "manifest" | "download" | "compile" | "ready";
  /** Bytes that arrived so far, out of `total`; a file that fails its check is taken back. */
  loaded: number;
  total: number;
  /** Of `loaded`, what came from the local cache. */
  cached: number;
  /** Of `total`, what this browser had already when the download began. */
  kept: number;
  /**
   * Why nothing arrives at present: the download is paused; there is no network; requests failed
   * and are made again soon; another tab is fetching the same files. It goes on by itself, or with
   * `resume`.
   */
  waiting?: "paused" | "offline" | "retry" | "tab";
  /** Bytes per second over the network, and seconds left; undefined until known. */
  rate?: number;
  secondsLeft?: number;
  /** Kernel pipelines ready, out of all. */
  pipelines: number;
  pipelinesTotal: number;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
}

/** Sampling settings, with OpenAI's names and meanings where OpenAI has them. */
export interface SamplingParams {
  /** 0 is greedy. Default 0.7. */
  temperature?: number;
  /** Default 0.95; 1 is off. */
  top_p?: number;
  /** Default 0: off. */
  top_k?: number;
  /** Default 0: off. Tokens below `min_p` times the likeliest one's probability are dropped. */
  min_p?: number;
  /** Default 1: off. Divides positive logits (multiplies negative ones) of tokens seen before. */
  repetition_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  /** 32-bit; the same seed, messages and settings give the same answer. Default: random. */
  seed?: number;
}

/**
 * Whether tokens are guessed from what the context says already and verified several at a time:
 * where it pays, as measured while answering; always; never. The answer is the same, but for the
 * rounding of kernels that work on several tokens; the sampling settings and `seed` hold either way.
 * Variants that cannot (WebAssembly) never do.
 */
export type Speculation = "auto" | "on" | "off";

export interface ChatRequest extends SamplingParams {
  messages: ChatMessage[];
  stream?: boolean;
  /**
   * The last message is the beginning of the assistant's answer, and what comes back is how it goes
   * on. White space at its end is taken for the model's to write. Default false.
   */
  continue_final_message?: boolean;
  /** Default "auto". */
  speculation?: Speculation;
  /** Tokens to generate at most; by default (and at most) what the context has room for. */
  max_tokens?: number;
  /** Up to four strings that end the answer; they are not part of it. */
  stop?: string | string[];
  /** Aborting ends the answer with what there is of it and `finish_reason: "abort"`. */
  signal?: AbortSignal;
}

export type FinishReason = "stop" | "length" | "abort";

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Prompt tokens whose keys and values were still in the cache. */
  cached_tokens: number;
  /** Of the completion, tokens that were guessed right: each saved a step. */
  guessed_tokens: number;
  /** Wall time in seconds until the first new token, and from then on. */
  prefill_seconds: number;
  decode_seconds: number;
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: [
    {
      index: 0;
      message: { role: "assistant"; content: string };
      finish_reason: FinishReason;
    },
  ];
  usage: Usage;
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: [
    {
      index: 0;
      delta: { role?: "assistant"; content?: string };
      finish_reason: FinishReason | null;
    },
  ];
  /** On the last chunk only. */
  usage?: Usage;
}

export interface EmbeddingRequest {
  /** One text or several; white space around them, with their prompt, does not count. */
  input: string | string[];
  /** Which of `info.embedding.prompts` to put in front; "" for none. Default: the model's own. */
  prompt?: string;
  /** Aborting throws `aborted`. */
  signal?: AbortSignal;
}

export interface EmbeddingResponse {
  object: "list";
  model: string;
  /** One for each text, in their order. */
  data: {
    object: "embedding";
    index: number;
    embedding: Float32Array<ArrayBuffer>;
    /** Tokens of the text, special ones included, as far as they were used. */
    tokens: number;
    /** Whether it was longer than the model takes: what is beyond was left out. */
    truncated: boolean;
  }[];
  usage: { prompt_tokens: number; total_tokens: number };
}

/** How a model turns a text into a vector. */
export interface EmbeddingInfo {
  /** Numbers of a vector. */
  dimensions: number;
  /** Tokens of a text, special ones included, at most. */
  limit: number;
  /** What of the tokens' vectors is put one after the other. */
  pooling: string[];
  /** Whether vectors have length 1, so that their dot product is their cosine similarity. */
  normalised: boolean;
  /** Texts to put in front, by what they are for. */
  prompts: Record<string, string>;
  /** The one that is put there unless told otherwise; "" for none. */
  defaultPrompt: string;
}

/** One way of running the model, and whether this device can. */
export interface Rung {
  variant: string;
  backend: Backend;
  usable: boolean;
  /** Why not (or a caveat, when usable), in plain words. */
  reasons: string[];
  /** The same in the same order, for pages that say it in words of their own. */
  causes: Cause[];
  /** True: the last attempt to load on it ended in a crash. Do not start it without being asked. */
  crashed?: boolean;
}

/** What speaks against a rung. */
export type Cause =
  | { code: "insecure" | "no-webgpu" | "no-adapter" | "not-isolated" | "crashed" }
  /** Emulated in software: usable, but passed over where WebAssembly is there. */
  | { code: "emulated" | "emulated-passed-over" }
  | { code: "card-lacks" | "wasm-lacks"; feature: string }
  /** `offered` is missing where the browser does not know the limit. */
  | { code: "card-too-small"; limit: string; needed: number; offered?: number }
  /** Bytes, and the largest context that fits (0: none does). */
  | { code: "wasm-memory"; needed: number; available: number; fits: number }
  | { code: "scarce-memory"; needed: number }
  /** It was tried, and this went wrong. */
  | { code: "fault"; error: ErrorCode };

/** What the capability check learned; it stays on the device. */
export interface CapabilityReport {
  secureContext: boolean;
  crossOriginIsolated: boolean;
  adapter: { vendor: string; architecture: string; description: string; fallback: boolean } | null;
  features: string[];
  limits: Record<string, number>;
  /** Of "simd128", "relaxed-simd" and "threads", what WebAssembly has here. */
  webassembly: string[];
  /** Logical processors the browser admits to. */
  cores: number;
  /** Best first. */
  rungs: Rung[];
  /** The variant that will be used; null when none can. */
  chosen: string | null;
}

/** A note of the engine's, and what it is made of. */
export type Remark = { note: string } & (
  | { code: "tuned-refused"; vendor: string }
  /** The disk is full: bytes that are free for the site, as far as is known, and that were needed. */
  | { code: "no-room"; free: number | null; needed: number }
  /** The browser refused to keep files for another reason; some that it kept were damaged. */
  | { code: "not-stored" | "damaged" }
  /** Bytes that had been kept were gone. */
  | { code: "evicted"; bytes: number }
  /** Files, of all that were fetched, that another address than the first had to serve. */
  | { code: "mirror"; served: number; total: number; mirror: string }
  /** Work went on after a fault, perhaps (`moved`) in another way. */
  | { code: "recovered"; error: ErrorCode; moved: boolean; variant: string; backend: Backend }
);

export interface EngineInfo {
  model: string;
  variant: string;
  backend: Backend;
  /** How many threads compute; 1 on WebGPU. */
  threads: number;
  /** Vendor whose tuned kernels run; null: those for any device. */
  tuned: string | null;
  context: number;
  vocabulary: number;
  /** Of a model that turns texts into vectors; null: it generates text. */
  embedding: EmbeddingInfo | null;
  /** What a person should know: the manifest's notes, and what loading added to them. */
  notes: string[];
  /** The notes that loading and answering added, for pages that say them in words of their own. */
  remarks: Remark[];
  report: CapabilityReport;
}

/** One request runs at a time; others wait their turn. */
export interface Engine {
  /** How it runs now; another object after each `onChange`. */
  readonly info: EngineInfo;
  readonly chat: {
    readonly completions: {
      create(request: ChatRequest & { stream: true }): Promise<AsyncIterable<ChatCompletionChunk>>;
      create(request: ChatRequest & { stream?: false }): Promise<ChatCompletion>;
    };
  };
  readonly embeddings: {
    /** Vectors of texts, from a model that makes them (`info.embedding`); in OpenAI's shape. */
    create(request: EmbeddingRequest): Promise<EmbeddingResponse>;
  };
  /** The vectors alone; `embeddings.create` also tells which texts were too long. */
  embed(
    texts: string[],
    options?: Omit<EmbeddingRequest, "input">,
  ): Promise<Float32Array<ArrayBuffer>[]>;
  /** Tokens the rendered messages take, the generation prompt included. */
  countTokens(messages: ChatMessage[]): Promise<number>;
  /** Token ids of a text, special tokens recognised, none added. */
  tokenize(text: string): Promise<number[]>;
  /**
   * Greedy continuation of `ids`: the next `count` token ids, stop tokens not heeded.
   * For tests and for comparing with PyTorch; `speculation` is "off" by default.
   */
  generate(ids: number[], count: number, speculation?: Speculation): Promise<number[]>;
  /**
   * Forced decoding: logits after each of `ids[first..]`, as one f32 array of shape
   * (ids.length - first, vocabulary). `ids[0..first]` are prefilled.
   */
  evaluate(ids: number[], first: number): Promise<Float32Array>;
  /** Frees the device and ends the worker; the engine is unusable afterwards. */
  dispose(): Promise<void>;
}

export type ErrorCode =
  | "insecure-context"
  | "webgpu-unavailable"
  | "no-adapter"
  | "device-too-small"
  | "unsupported-format"
  | "bad-bundle"
  | "network"
  | "integrity"
  | "storage"
  | "out-of-memory"
  | "device-lost"
  | "worker-lost"
  | "gpu-validation"
  /** A kernel stopped in mid-run: a trap in WebAssembly. */
  | "kernel-fault"
  /** The self-test: a kernel gave another answer than the known one. */
  | "wrong-answer"
  | "context-overflow"
  | "bad-request"
  | "aborted"
  | "internal";

/** What an error is about, as far as it is known, for pages that tell of it in their own words. */
export interface ErrorValues {
  /** A file's address or its name in the bundle, and how the server answered. */
  file?: string;
  status?: number;
  /** Another origin than the page's, which did not answer, or not for this page to read. */
  origin?: string;
  /** Bytes that were asked for, and the most there can be. */
  bytes?: number;
  allowed?: number;
  /** Tokens of the conversation; of the context; of the largest context there can be. */
  tokens?: number;
  context?: number;
  fits?: number;
}

/** Every error the engine throws. `message` names what went wrong, `hint` what to do about it. */
export class WebkilnError extends Error {
  override readonly name = "WebkilnError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string,
    readonly values: ErrorValues = {},
  ) {
    super(message);
  }
}
