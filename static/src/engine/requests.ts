/** Checks what callers ask for: an absurd value is refused with its name, value and range. */

import {
  type ChatMessage,
  type ChatRequest,
  type EmbeddingRequest,
  type EngineOptions,
  type Speculation,
  WebkilnError,
} from "./api";
import type { ResolvedChat, ResolvedEmbed } from "./protocol";

/** Sampling parameters with every default filled in. */
export interface SamplingSettings {
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repetition: number;
  presence: number;
  frequency: number;
  seed: number;
}

export const GREEDY: SamplingSettings = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetition: 1,
  presence: 0,
  frequency: 0,
  seed: 0,
};

const ROLES = ["system", "user", "assistant", "tool"];
const SPECULATIONS = ["auto", "on", "off"];
const MAX_STOPS = 4;
const MAX_THREADS = 64;
const FIELDS = [
  "messages",
  "stream",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repetition_penalty",
  "presence_penalty",
  "frequency_penalty",
  "seed",
  "max_tokens",
  "stop",
  "speculation",
  "continue_final_message",
  "signal",
];

interface Range {
  min: number;
  max: number;
  integer?: boolean;
}

export function badRequest(field: string, value: unknown, allowed: string): WebkilnError {
  return new WebkilnError(
    "bad-request",
    `${field} is ${show(value)}; it must be ${allowed}`,
    `Change ${field} and ask again.`,
  );
}

function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "function") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function numeric(field: string, value: unknown, fallback: number, range: Range): number {
  if (value === undefined) return fallback;
  const { min, max, integer = false } = range;
  const fits =
    typeof value === "number" &&
    value >= min &&
    value <= max &&
    (!integer || Number.isInteger(value));
  if (!fits) {
    const upper = max === Number.MAX_SAFE_INTEGER ? "up" : `to ${max}`;
    throw badRequest(
      field,
      value,
      `${integer ? "a whole number" : "a number"} from ${min} ${upper}`,
    );
  }
  return value;
}

const WHOLE: Range = { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true };

/** The request with defaults filled in, or a `bad-request` naming the field at fault. */
export function resolveChat(request: ChatRequest, randomSeed: () => number): ResolvedChat {
  for (const field of Object.keys(request)) {
    if (!FIELDS.includes(field)) {
      throw new WebkilnError(
        "bad-request",
        `${field} is not a setting this engine knows`,
        `Remove it. Known settings: ${FIELDS.join(", ")}.`,
      );
    }
  }
  const messages = resolveMessages(request.messages);
  return {
    messages,
    continues: resolveContinuation(request.continue_final_message, messages),
    sampling: resolveSampling(request, randomSeed),
    maxTokens:
      request.max_tokens === undefined ? null : numeric("max_tokens", request.max_tokens, 0, WHOLE),
    stop: resolveStop(request.stop),
    speculation: checkSpeculation(request.speculation),
  };
}

export function resolveMessages(messages: unknown): ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badRequest("messages", messages, "a list of at least one message");
  }
  return messages.map((message: unknown, index) => {
    const { role, content } = (message ?? {}) as Partial<Record<keyof ChatMessage, unknown>>;
    const known = ROLES.find((name): name is ChatMessage["role"] => name === role);
    if (known === undefined) {
      throw badRequest(`messages[${index}].role`, role, `one of ${ROLES.join(", ")}`);
    }
    if (typeof content !== "string") {
      throw badRequest(`messages[${index}].content`, content, "a string");
    }
    return { role: known, content };
  });
}

function resolveContinuation(wanted: unknown, messages: ChatMessage[]): boolean {
  if (wanted === undefined || wanted === false) return false;
  if (wanted !== true) throw badRequest("continue_final_message", wanted, "true or false");
  const last = messages.at(-1);
  if (last?.role === "assistant" && last.content.trim() !== "") return true;
  throw badRequest("messages", last, "a list that ends with the assistant's answer to go on with");
}

function resolveSampling(request: ChatRequest, randomSeed: () => number): SamplingSettings {
  const penalty: Range = { min: -2, max: 2 };
  return {
    temperature: numeric("temperature", request.temperature, 0.7, { min: 0, max: 2 }),
    topP: numeric("top_p", request.top_p, 0.95, { min: 0, max: 1 }),
    topK: numeric("top_k", request.top_k, 0, { min: 0, max: 2 ** 31 - 1, integer: true }),
    minP: numeric("min_p", request.min_p, 0, { min: 0, max: 1 }),
    repetition: numeric("repetition_penalty", request.repetition_penalty, 1, { min: 0.1, max: 10 }),
    presence: numeric("presence_penalty", request.presence_penalty, 0, penalty),
    frequency: numeric("frequency_penalty", request.frequency_penalty, 0, penalty),
    seed: numeric("seed", request.seed ?? randomSeed(), 0, {
      min: -(2 ** 31),
      max: 2 ** 32 - 1,
      integer: true,
    }),
  };
}

function resolveStop(stop: unknown): string[] {
  const list: unknown[] = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop];
  if (list.length > MAX_STOPS) throw badRequest("stop", stop, `at most ${MAX_STOPS} strings`);
  return list.map((item) => {
    if (typeof item !== "string" || item === "") {
      throw badRequest("stop", item, "a string of at least one character");
    }
    return item;
  });
}

/** Texts to embed, or a `bad-request` naming the field at fault. */
export function resolveEmbed({ input, prompt }: EmbeddingRequest): ResolvedEmbed {
  const texts: unknown = typeof input === "string" ? [input] : input;
  if (!Array.isArray(texts) || texts.length === 0) {
    throw badRequest("input", input, "a string or a list of at least one");
  }
  for (const [index, text] of texts.entries()) {
    if (typeof text !== "string") throw badRequest(`input[${index}]`, text, "a string");
  }
  if (prompt !== undefined && typeof prompt !== "string") {
    throw badRequest("prompt", prompt, "the name of one of the model's prompts");
  }
  return { texts, prompt: prompt ?? null };
}

export function checkSpeculation(wanted: Speculation = "auto"): Speculation {
  if (SPECULATIONS.includes(wanted)) return wanted;
  throw badRequest("speculation", wanted, SPECULATIONS.join(", "));
}

/** Token ids a caller passed in, checked against the vocabulary. */
export function checkIds(field: string, ids: unknown, vocabulary: number): number[] {
  if (!Array.isArray(ids) || ids.length === 0) {
    throw badRequest(field, ids, "a list of at least one token id");
  }
  return ids.map((id: unknown, index) =>
    numeric(`${field}[${index}]`, id ?? null, 0, { min: 0, max: vocabulary - 1, integer: true }),
  );
}

export function checkCount(field: string, value: unknown, min = 1): number {
  return numeric(field, value ?? null, 0, { ...WHOLE, min });
}

function resolveMirrors(mirrors: unknown = []): unknown[] {
  if (Array.isArray(mirrors)) return mirrors;
  throw badRequest("mirrors", mirrors, "a list of addresses of folders");
}

export function checkEngineOptions(
  options: Pick<
    EngineOptions,
    "model" | "mirrors" | "integrity" | "backend" | "context" | "threads"
  >,
): void {
  if (typeof options.model !== "string" || options.model === "") {
    throw badRequest("model", options.model, "the address of a bundle's folder");
  }
  for (const mirror of resolveMirrors(options.mirrors)) {
    if (typeof mirror !== "string" || mirror === "") {
      throw badRequest("mirrors", mirror, "a list of addresses of folders");
    }
  }
  if (options.integrity !== undefined && !/^sha256-[0-9a-f]{64}$/.test(options.integrity)) {
    throw badRequest("integrity", options.integrity, '"sha256-" and 64 hexadecimal digits');
  }
  if (options.backend !== undefined && !["webgpu", "wasm"].includes(options.backend)) {
    throw badRequest("backend", options.backend, "webgpu or wasm");
  }
  numeric("context", options.context, 1, WHOLE);
  numeric("threads", options.threads, 1, { ...WHOLE, max: MAX_THREADS });
}
