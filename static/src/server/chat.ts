/** A server as whoever answers: the same calls as the engine's, with a network in between. */

import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatRequest,
  Engine,
  FinishReason,
  Usage,
} from "../engine/api";
import { aborted } from "../engine/errors";
import { ServerError } from "./errors";
import { type Ask, ask, refusal, type Server, serverFault } from "./request";
import { type Piece, pieces, type ServerUsage } from "./stream";

const PATH = "/chat/completions";

export interface ServerChoice extends Server {
  model: string;
  /** Positions of the model's context; null where the server does not say. */
  context: number | null;
}

/** What of the engine's interface a server can do as well. */
export class ServerChat {
  readonly chat: Engine["chat"];
  readonly info: { readonly context: number | null };

  constructor(private readonly server: ServerChoice) {
    const create = (request: ChatRequest) => this.create(request);
    // `stream` decides which of the two shapes comes back, as the overloads promise.
    this.chat = { completions: { create } } as Engine["chat"];
    this.info = { context: server.context };
  }

  /** Nobody here knows the server's tokens. */
  async countTokens(): Promise<null> {
    return null;
  }

  private async create(
    request: ChatRequest,
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    const { signal } = request;
    const stop = new AbortController();
    const signals = signal ? [stop.signal, signal] : [stop.signal];
    const body = requestBody(this.server.model, request);
    const start = performance.now();
    const asked = { path: PATH, body, signal: AbortSignal.any(signals) };
    const response = await ask(this.server, asked);
    const source = pieces(this.server.base + PATH, response);
    const stream = new Answer(this.server.model, start, signal).chunks(source, stop);
    // As with the engine: what is wrong with the prompt is an error of `create` itself.
    const first = await stream.next().catch(async (error) => {
      if (!(error instanceof ServerError && error.values.empty)) throw error;
      throw (await reason(this.server, { path: PATH, body: unstreamed(body), signal })) ?? error;
    });
    const whole = again(first, stream);
    return request.stream ? whole : collect(whole);
  }
}

/**
 * Why a stream ended before it began: llama-cpp-python tells of faults, a full context among them,
 * only whoever asks for no stream. Null: the server has nothing to say against the request.
 */
async function reason(server: Server, asked: Ask): Promise<Error | null> {
  try {
    const response = await ask(server, asked);
    const body = await response.text().catch(() => "");
    return serverFault(body) ? refusal(server.base + asked.path, response.status, body) : null;
  } catch (error) {
    return error as Error;
  }
}

/** The same request for an answer in one piece, as short as there is one. */
function unstreamed({ stream_options, ...body }: Record<string, unknown>) {
  return { ...body, stream: false, max_tokens: 1 };
}

/** A generator whose first value was taken out already. */
async function* again<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    if (!first.done) yield first.value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** OpenAI's fields, and beside them what only some servers know, where it is more than the default. */
export function requestBody(model: string, request: ChatRequest): Record<string, unknown> {
  const { messages, temperature, top_p, top_k, min_p, repetition_penalty, signal, ...rest } =
    request;
  const { presence_penalty, frequency_penalty, seed, max_tokens, stop } = rest;
  const { continue_final_message } = rest;
  const repeats = repetition_penalty !== undefined && repetition_penalty !== 1;
  const fields = {
    ...{ model, messages, stream: true, stream_options: { include_usage: true } },
    ...{ temperature, top_p, presence_penalty, frequency_penalty, seed, max_tokens, stop },
    ...(top_k ? { top_k } : {}),
    ...(min_p ? { min_p } : {}),
    ...(continue_final_message && { continue_final_message, add_generation_prompt: false }),
    // The names llama.cpp and vLLM have for the same thing.
    ...(repeats && { repeat_penalty: repetition_penalty, repetition_penalty }),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

type Choice = ChatCompletionChunk["choices"][0];

/** One answer as it arrives. */
class Answer {
  private readonly id = `chatcmpl-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
  private readonly created = Math.floor(Date.now() / 1000);
  private firstText = 0;

  constructor(
    private readonly model: string,
    private readonly start: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async *chunks(
    source: AsyncIterable<Piece>,
    stop: AbortController,
  ): AsyncGenerator<ChatCompletionChunk> {
    let finish: FinishReason = "stop";
    let usage: ServerUsage | null = null;
    try {
      for await (const piece of source) {
        if (piece.text !== "") {
          this.firstText ||= performance.now();
          yield this.chunk({ content: piece.text });
        }
        finish = piece.finish ?? finish;
        usage = piece.usage ?? usage;
      }
    } catch (error) {
      if (!this.signal?.aborted) throw error;
      finish = "abort";
    } finally {
      // Whoever leaves the loop early wants no more tokens; after the end this does nothing.
      stop.abort();
    }
    yield { ...this.chunk({}, finish), ...(usage && { usage: this.usage(usage) }) };
  }

  private chunk(delta: Choice["delta"], finish: FinishReason | null = null): ChatCompletionChunk {
    const { id, created, model } = this;
    const choices: [Choice] = [{ index: 0, delta, finish_reason: finish }];
    return { id, created, model, object: "chat.completion.chunk", choices };
  }

  /** Counts are the server's, times those of this end of the line. */
  private usage({ prompt_tokens, completion_tokens, cached_tokens }: ServerUsage): Usage {
    const end = performance.now();
    const first = this.firstText || end;
    return {
      prompt_tokens,
      completion_tokens,
      cached_tokens,
      total_tokens: prompt_tokens + completion_tokens,
      guessed_tokens: 0,
      prefill_seconds: (first - this.start) / 1000,
      decode_seconds: (end - first) / 1000,
    };
  }
}

async function collect(chunks: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletion> {
  let content = "";
  let last: ChatCompletionChunk | null = null;
  for await (const chunk of chunks) {
    content += chunk.choices[0].delta.content ?? "";
    last = chunk;
  }
  if (!last) throw aborted();
  const { id, created, model, usage } = last;
  const finish_reason = last.choices[0].finish_reason ?? "stop";
  const message = { role: "assistant" as const, content };
  return {
    ...{ id, created, model, object: "chat.completion" },
    choices: [{ index: 0, message, finish_reason }],
    usage: usage ?? NO_USAGE,
  };
}

/** For a server that does not count. */
const NO_USAGE: Usage = {
  prompt_tokens: 0,
  completion_tokens: 0,
  total_tokens: 0,
  cached_tokens: 0,
  guessed_tokens: 0,
  prefill_seconds: 0,
  decode_seconds: 0,
};
