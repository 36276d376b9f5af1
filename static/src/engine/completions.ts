/** Answers in OpenAI's shapes, whole or as a stream. */

import type { ChatCompletion, ChatCompletionChunk, ChatRequest, Usage } from "./api";
import type { WorkerClient } from "./client";
import type { ChatResult, ResolvedChat } from "./protocol";
import { resolveChat } from "./requests";

type Head = Pick<ChatCompletion, "id" | "created" | "model">;

function head(model: string): Head {
  const id = `chatcmpl-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
  return { id, created: Math.floor(Date.now() / 1000), model };
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Answers a request; a malformed one is refused here, before it reaches the worker. */
export async function complete(
  client: WorkerClient,
  model: string,
  request: ChatRequest,
  /** Told of every answer that came to its end. */
  answered: (usage: Usage) => void = () => {},
): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
  const resolved = resolveChat(request, randomSeed);
  if (request.stream) return stream(client, head(model), resolved, request.signal, answered);
  const result = await client.call("chat", { request: resolved }, { signal: request.signal });
  answered(result.usage);
  return {
    ...head(model),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: result.text },
        finish_reason: result.finishReason,
      },
    ],
    usage: result.usage,
  };
}

/** Resolves once the prompt is accepted, so that a full context is an error of `create` itself. */
async function stream(
  client: WorkerClient,
  start: Head,
  request: ResolvedChat,
  signal: AbortSignal | undefined,
  answered: (usage: Usage) => void,
): Promise<AsyncIterable<ChatCompletionChunk>> {
  const queue = new DeltaQueue();
  const stop = new AbortController();
  const signals = signal ? [stop.signal, signal] : [stop.signal];
  const done = client.call(
    "chat",
    { request },
    { signal: AbortSignal.any(signals), onDelta: (text) => queue.push(text) },
  );
  done.then(
    ({ usage }) => {
      queue.close();
      answered(usage);
    },
    () => queue.close(),
  );
  await Promise.race([queue.something(), done]);
  return chunks(start, queue, done, stop);
}

async function* chunks(
  start: Head,
  queue: DeltaQueue,
  done: Promise<ChatResult>,
  stop: AbortController,
): AsyncGenerator<ChatCompletionChunk> {
  type Choice = ChatCompletionChunk["choices"][0];
  const chunk = (delta: Choice["delta"], finish_reason: Choice["finish_reason"] = null) => ({
    ...start,
    object: "chat.completion.chunk" as const,
    choices: [{ index: 0 as const, delta, finish_reason }] as [Choice],
  });
  try {
    yield chunk({ role: "assistant", content: "" });
    for await (const content of queue) yield chunk({ content });
    const { finishReason, usage } = await done;
    yield { ...chunk({}, finishReason), usage };
  } finally {
    // Whoever leaves the loop early wants no more tokens; after the end this does nothing.
    stop.abort();
  }
}

/** Text that arrives by callback, taken out by `for await`. */
export class DeltaQueue {
  private readonly items: string[] = [];
  private closed = false;
  private wake: () => void = () => {};

  push(text: string): void {
    this.items.push(text);
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  /** Resolves when there is something to take, or nothing more will come. */
  async something(): Promise<void> {
    while (this.items.length === 0 && !this.closed) {
      await new Promise<void>((resolve) => {
        const before = this.wake;
        this.wake = () => {
          before();
          resolve();
        };
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    while (true) {
      await this.something();
      // What has piled up meanwhile is one piece: a slow page must not fall behind.
      const text = this.items.splice(0).join("");
      if (text !== "") yield text;
      else if (this.closed) return;
    }
  }
}
