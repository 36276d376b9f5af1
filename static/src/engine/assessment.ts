/** What `assess` says of a model before anything large is downloaded. */

import type { Card } from "../plan";
import type {
  Backend,
  CapabilityReport,
  Cause,
  EmbeddingInfo,
  EngineOptions,
  ErrorCode,
  StoredModel,
} from "./api";

export type ModelQuestion = Pick<
  EngineOptions,
  "model" | "mirrors" | "integrity" | "backend" | "variant" | "context" | "threads"
>;

export interface AssessOptions {
  /**
   * Whether this device's speed may be measured, which takes about a second and two cores at most
   * once a week; default true. Without it what is known already counts.
   */
  measure?: boolean;
  signal?: AbortSignal;
}

/** In the order in which one would choose. */
export type Fit = "well" | "tight" | "unknown" | "no";

/** What speaks against a model here; of a way of running it, or of the whole. */
export type FitCause =
  | Cause
  /** The browser does not tell of so much memory, nor that it is missing. */
  | { code: "memory-unknown"; needed: number }
  /** It ran out of memory here before, at a context of so many tokens. */
  | { code: "ran-out"; context: number }
  /** It runs, but cannot be kept: so many bytes are missing, and so many the browser has room for. */
  | { code: "disk"; missing: number; free: number }
  | { code: "slow"; tokensPerSecond: number }
  /** The manifest could not be had. */
  | { code: "unread"; error: ErrorCode };

export interface Speed {
  /** Of an answer: the first token takes longer, the more the longer the prompt. */
  tokensPerSecond: number;
  /** True: the model ran here, and was so fast. False: estimated from a micro-benchmark. */
  measured: boolean;
}

/** How fast a device gets through weights. */
export interface Pace {
  bytesPerSecond: number;
  secondsPerDispatch: number;
}

/** How so large a share of a model's weights is coded. */
export interface Coding {
  share: number;
  bits: 4 | 8 | 16 | 32;
  /** Weights that share a scale; 0: plain numbers. */
  group: number;
  minimum: boolean;
}

/** What the manifest says of the model. */
export interface About {
  name: string;
  architecture: string;
  source: string;
  parameters: number;
  /** Tokens that it was made for, and that it gets unless told otherwise. */
  context: number;
  defaultContext: number;
  /** The largest share first. */
  codings: Coding[];
  card: Card;
  notes: string[];
  /** Of a model that turns texts into vectors; null: it generates text. */
  embedding: EmbeddingInfo | null;
}

export interface Assessment {
  /** As it was asked for. */
  model: string;
  fit: Fit;
  causes: FitCause[];
  /** How it would run; null where it does not. */
  variant: string | null;
  backend: Backend | null;
  /** Bytes of memory that it takes at the context asked for; null where it does not run. */
  memory: number | null;
  /** Null where there is nothing to tell it from. */
  speed: Speed | null;
  /** Null where the manifest could not be had; so are the others below. */
  about: About | null;
  stored: StoredModel | null;
  report: CapabilityReport | null;
}
