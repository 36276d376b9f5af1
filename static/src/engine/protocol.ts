/** Every message between the page and the engine's worker. */

import type { ThreadStart } from "../backends/wasm-thread";
import type { LoadOutcome } from "../device/crash";
import type {
  Backend,
  ChatMessage,
  EngineInfo,
  ErrorCode,
  ErrorValues,
  FinishReason,
  Progress,
  Speculation,
  Usage,
} from "./api";
import type { SamplingSettings } from "./requests";
import type { RequestRecord } from "./traffic";

export interface LoadOptions {
  /** Absolute addresses of manifest.json: the model's, then its mirrors'. */
  manifests: string[];
  integrity: string | null;
  backend: Backend | null;
  variant: string | null;
  context: number | null;
  threads: number | null;
  tuned: boolean;
  /** Variants that crashed when they were last loaded. */
  crashed: string[];
  /** Whether this browser kept the whole model when it was last loaded. */
  expected: boolean;
  /** Name of the Web Lock the worker holds while it lives. */
  lock: string;
}

/** A chat request whose every field was checked and given its default. */
export interface ResolvedChat {
  messages: ChatMessage[];
  /** The last message is an answer to go on with. */
  continues: boolean;
  sampling: SamplingSettings;
  speculation: Speculation;
  /** null: what the context has room for. */
  maxTokens: number | null;
  stop: string[];
}

export interface ChatResult {
  text: string;
  finishReason: FinishReason;
  usage: Usage;
}

/** A request for vectors whose every field was checked. */
export interface ResolvedEmbed {
  texts: string[];
  /** null: the model's default. */
  prompt: string | null;
}

/** One of each for every text. */
export interface EmbedResult {
  vectors: Float32Array<ArrayBuffer>[];
  tokens: number[];
  truncated: boolean[];
}

export interface WireError {
  code: ErrorCode;
  message: string;
  hint: string;
  values: ErrorValues;
}

/** What each call takes and what its reply carries. */
export interface Calls {
  load: { takes: { options: LoadOptions }; gives: EngineInfo };
  chat: { takes: { request: ResolvedChat }; gives: ChatResult };
  count: { takes: { messages: ChatMessage[] }; gives: number };
  tokenize: { takes: { text: string }; gives: number[] };
  generate: {
    takes: { ids: number[]; count: number; speculation: Speculation };
    gives: number[];
  };
  evaluate: { takes: { ids: number[]; first: number }; gives: Float32Array<ArrayBuffer> };
  embed: { takes: { request: ResolvedEmbed }; gives: EmbedResult };
  dispose: { takes: Record<never, never>; gives: null };
}

export type CallName = keyof Calls;

/** A call as it travels; `id` ties replies, deltas and aborts to it. */
export type Call<K extends CallName = CallName> = {
  [N in K]: { type: N; id: number } & Calls[N]["takes"];
}[K];

export type ToWorker =
  | Call
  | { type: "abort"; id: number }
  /** Downloads stop until `resume`. */
  | { type: "pause" }
  | { type: "resume" }
  /** The network is back: not every browser tells its workers. */
  | { type: "online" }
  /** The answer to `loading`. */
  | { type: "noted" }
  /** The helper asked for by `hire` did not come up. */
  | { type: "unfit"; id: number; problem: string };

export type Reply = {
  [K in CallName]: { type: "reply"; call: K; id: number; value: Calls[K]["gives"] };
}[CallName];

export type FromWorker =
  | Reply
  | { type: "alive" }
  /** This variant is about to be loaded, which may take the tab down. */
  | { type: "loading"; variant: string }
  /** The load that `loading` announced is over. */
  | { type: "loaded"; outcome: LoadOutcome }
  /** Start a helper thread, which will tell `port` how it went; end it. */
  | { type: "hire"; id: number; start: ThreadStart; port: MessagePort }
  | { type: "dismiss"; id: number }
  /** The model runs in another way than before. */
  | { type: "change"; info: EngineInfo }
  /** Whether the next visit will find the whole model in this browser. */
  | { type: "kept"; whole: boolean }
  | { type: "progress"; progress: Progress }
  /** What the worker has requested since it last told. */
  | { type: "requests"; requests: RequestRecord[] }
  | { type: "delta"; id: number; text: string }
  | { type: "error"; id: number; error: WireError };

/** What answers a call, in part or whole. */
export type Answer = Extract<FromWorker, { type: "delta" | "reply" | "error" }>;
