/** A streamed answer: server-sent events whose data are chunks in OpenAI's shape. */

import { createParser } from "eventsource-parser";
import type { FinishReason } from "../engine/api";
import { ServerError } from "./errors";
import { asOverflow, refusal, serverFault } from "./request";

/** What a chunk says, as far as it is of use here. */
export interface Piece {
  text: string;
  finish: FinishReason | null;
  usage: ServerUsage | null;
}

export interface ServerUsage {
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
}

const END = "[DONE]";
/** No chunk of a chat comes near; a server that never ends a line must not fill the memory. */
const LONGEST = 8 * 1024 * 1024;

/** The pieces of an answer in their order; throws when it breaks off or is none. */
export async function* pieces(address: string, response: Response): AsyncGenerator<Piece> {
  const type = response.headers.get("content-type") ?? "";
  if (!response.body || !type.includes("text/event-stream")) {
    const body = await response.text().catch(() => "");
    throw serverFault(body)
      ? refusal(address, response.status, body)
      : strange(address, `it is ${type || "of no type"}, not a stream of events`);
  }
  let over = false;
  let empty = true;
  for await (const data of events(address, response.body)) {
    empty = false;
    if (data === END) return;
    const piece = readPiece(address, data);
    over ||= piece.finish !== null;
    yield piece;
  }
  // Some servers leave the end mark out; without either there is more that did not arrive.
  if (!over) throw brokeOff(address, "it ended before the answer did", empty);
}

async function* events(
  address: string,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  const queue: string[] = [];
  let fault: ServerError | null = null;
  const parser = createParser({
    maxBufferSize: LONGEST,
    onEvent: ({ data }) => queue.push(data),
    onError: ({ type, message }) => {
      // The standard has unknown fields passed over.
      if (type === "max-buffer-size-exceeded") fault = strange(address, message);
    },
  });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        throw isAbort(error) ? error : brokeOff(address, String(error));
      });
      if (done) return;
      parser.feed(value);
      yield* queue.splice(0);
      if (fault) throw fault;
    }
  } finally {
    // Whoever leaves early wants no more of it.
    await reader.cancel().catch(() => {});
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Throws what the server has to say of a fault, and for what is no chunk. */
export function readPiece(address: string, data: string): Piece {
  const chunk = parse(address, data);
  const fault = "error" in chunk ? serverFault(chunk) : null;
  if (fault) {
    throw (
      asOverflow(fault) ??
      new ServerError(
        "server-refused",
        `${address} ended the answer with an error: ${fault.message}`,
        "The server's own log may say more.",
        { address, said: fault.message },
      )
    );
  }
  const { choices, usage } = chunk;
  if (!Array.isArray(choices)) throw strange(address, `it holds ${shorten(data)}`);
  const { delta, finish_reason } = (choices[0] ?? {}) as {
    delta?: unknown;
    finish_reason?: unknown;
  };
  const { content } = (delta ?? {}) as { content?: unknown };
  return {
    text: typeof content === "string" ? content : "",
    finish: readFinish(finish_reason),
    usage: readUsage(usage),
  };
}

function parse(address: string, data: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw strange(address, `it holds ${shorten(data)}`);
}

/** Of the reasons there are ("content_filter", "tool_calls"), the page knows two. */
function readFinish(reason: unknown): FinishReason | null {
  if (typeof reason !== "string") return null;
  return reason === "length" ? "length" : "stop";
}

function readUsage(value: unknown): ServerUsage | null {
  if (typeof value !== "object" || value === null) return null;
  const usage = value as Record<string, unknown>;
  const { prompt_tokens, completion_tokens } = usage;
  if (typeof prompt_tokens !== "number" || typeof completion_tokens !== "number") return null;
  const details = usage.prompt_tokens_details as { cached_tokens?: unknown } | null | undefined;
  const cached = details?.cached_tokens;
  return {
    prompt_tokens,
    completion_tokens,
    cached_tokens: typeof cached === "number" ? cached : 0,
  };
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function strange(address: string, what: string): ServerError {
  return new ServerError(
    "server-strange",
    `the answer of ${address} cannot be read: ${what}`,
    "Check that the address is that of an OpenAI-compatible server.",
    { address, said: what },
  );
}

function brokeOff(address: string, how: string, empty = false): ServerError {
  return new ServerError(
    "server-broke-off",
    `the answer of ${address} broke off: ${how}`,
    "Ask again; if it happens often, look into the server's log.",
    { address, ...(empty && { empty }) },
  );
}
