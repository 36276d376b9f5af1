/** One request to the server, with every way it can fail told apart as far as a page can tell. */

import { WebkilnError } from "../engine/api";
import { aborted } from "../engine/errors";
import { addressSpace, isMixed, localPermission } from "./address";
import { ServerError, type ServerErrorCode, type ServerValues } from "./errors";

export interface Server {
  /** `/models` and `/chat/completions` are appended to it. */
  base: string;
  /** Sent as a bearer token; "" for none. */
  token: string;
  /** Told of every request: its address, and bytes of its body. */
  onRequest?: (address: string, sent: number) => void;
}

export interface Ask {
  path: string;
  /** Makes it a POST. */
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** The response, whose status is a good one. */
export async function ask(server: Server, { path, body, signal }: Ask): Promise<Response> {
  const address = server.base + path;
  const text = body === undefined ? null : JSON.stringify(body);
  server.onRequest?.(address, text === null ? 0 : new TextEncoder().encode(text).length);
  let response: Response;
  try {
    response = await fetch(address, options(server, text, signal));
  } catch {
    if (signal?.aborted) throw aborted();
    throw await unreachable(address);
  }
  if (response.ok) return response;
  throw refusal(address, response.status, await response.text().catch(() => ""));
}

function options(server: Server, text: string | null, signal: AbortSignal | undefined) {
  const headers: Record<string, string> = { Accept: "application/json, text/event-stream" };
  if (text !== null) headers["Content-Type"] = "application/json";
  if (server.token !== "") headers.Authorization = `Bearer ${server.token}`;
  return {
    method: text === null ? "GET" : "POST",
    body: text,
    headers,
    signal: signal ?? null,
    credentials: "omit",
    cache: "no-store",
    referrerPolicy: "no-referrer",
    // What a person sends to this server goes to no other.
    redirect: "error",
    ...addressSpace(location.href, server.base),
  } satisfies RequestInit & { targetAddressSpace?: string };
}

/** A page is not told why: the server may not run, or not admit this site, or the browser forbids it. */
async function unreachable(address: string): Promise<ServerError> {
  const permission = await localPermission(address);
  const values: ServerValues = { address, ...(permission && { permission }) };
  if (isMixed(location.href, address) && permission !== "granted") {
    return new ServerError(
      "server-mixed",
      `this page came by https, and ${address} would be asked by plain http`,
      "Give the server https, or run it on this device and name it as localhost.",
      values,
    );
  }
  return new ServerError(
    "server-unreachable",
    `${address} gave no answer that this page may read`,
    `Start the server, and have it admit ${location.origin} (CORS).`,
    values,
  );
}

const CODES: Record<number, ServerErrorCode> = {
  401: "server-token",
  403: "server-token",
  404: "server-missing",
};
const HINTS: Partial<Record<ServerErrorCode, string>> = {
  "server-token": "Enter the access token the server was started with.",
  "server-missing": "Check the address, and choose a model from the server's list.",
};

/** What a status and the body that came with it mean. */
export function refusal(address: string, status: number, body: string): Error {
  const found = serverFault(body);
  const overflow = found && asOverflow(found);
  if (overflow) return overflow;
  const said = found?.message ?? "";
  const code = CODES[status] ?? "server-refused";
  return new ServerError(
    code,
    `${address} answered ${status}${said ? `: ${said}` : ""}`,
    HINTS[code] ?? "The server's own log may say more.",
    { address, status, ...(said && { said }) },
  );
}

export interface ServerFault {
  message: string;
  /** `code` and `type`, whatever the server calls its errors. */
  kind: string;
  fields: Record<string, unknown>;
}

/** The error in a body, as OpenAI's and others' servers write it; null: it holds none. */
export function serverFault(body: unknown): ServerFault | null {
  const value = typeof body === "string" ? json(body) : body;
  if (typeof value !== "object" || value === null) return null;
  const { error, detail, message } = value as Record<string, unknown>;
  const found = error ?? detail ?? message;
  if (typeof found === "string") return { message: found, kind: "", fields: {} };
  if (typeof found !== "object" || found === null) return null;
  const fields = found as Record<string, unknown>;
  const text = typeof fields.message === "string" ? fields.message : JSON.stringify(found);
  return { message: text, kind: `${fields.code} ${fields.type}`, fields };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A prompt too long for the server's context; the numbers are there where it gives them. */
export function asOverflow({ kind, message, fields }: ServerFault): WebkilnError | null {
  if (!/context_length_exceeded|exceed_context_size/.test(kind)) {
    if (!/maximum context length|context (size|length|window)/i.test(message)) return null;
  }
  const { n_prompt_tokens: tokens, n_ctx: context } = fields;
  const values = {
    ...(typeof tokens === "number" && { tokens }),
    ...(typeof context === "number" && { context }),
  };
  return new WebkilnError(
    "context-overflow",
    `the server's context is full: ${message}`,
    "Drop old messages, or start the server with a larger context.",
    values,
  );
}
