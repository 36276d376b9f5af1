/** The worker's end of the protocol: calls in, replies out. */

import { Gate } from "../load/gate";
import { WebkilnError } from "./api";
import { RemoteCrew } from "./crew";
import { EmbedSession } from "./embed-session";
import { toWire } from "./errors";
import { type LoadEvents, loadSession } from "./load";
import type { Call, FromWorker, LoadOptions, Reply, ToWorker } from "./protocol";
import { Session } from "./session";
import { watchRequests } from "./traffic";

/** Whether the load is over. */
let ended = false;
const running = new Map<number, AbortController>();
let session: Session | EmbedSession | null = null;
/** What waits for the page to have noted the load that begins. */
let noted: () => void = () => {};

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

const crew = new RemoteCrew(post);
const gate = new Gate();

watchRequests("worker", (requests) => post({ type: "requests", requests }));

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "abort") running.get(data.id)?.abort();
  else if (data.type === "noted") noted();
  else if (data.type === "pause") pause();
  else if (data.type === "resume") gate.resume();
  else if (data.type === "online") gate.found();
  else if (data.type === "unfit") crew.unfit(data.id, data.problem);
  else void answer(data);
});

async function answer(call: Call): Promise<void> {
  const controller = new AbortController();
  running.set(call.id, controller);
  try {
    const reply = await perform(call, controller.signal);
    post(reply, buffersOf(reply));
  } catch (error) {
    post({ type: "error", id: call.id, error: toWire(error) });
  } finally {
    running.delete(call.id);
  }
}

/** What goes to the page without being copied. */
function buffersOf(reply: Reply): ArrayBuffer[] {
  if (reply.call === "evaluate") return [reply.value.buffer];
  return reply.call === "embed" ? reply.value.vectors.map(({ buffer }) => buffer) : [];
}

async function perform(call: Call, signal: AbortSignal): Promise<Reply> {
  const head = { type: "reply", id: call.id } as const;
  switch (call.type) {
    case "load":
      session = await load(call.options, signal);
      return { ...head, call: "load", value: session.info };
    case "chat": {
      const onText = (text: string): void => post({ type: "delta", id: call.id, text });
      return {
        ...head,
        call: "chat",
        value: await generating().chat(call.request, signal, onText),
      };
    }
    case "count":
      return { ...head, call: "count", value: generating().promptIds(call.messages).length };
    case "tokenize":
      return { ...head, call: "tokenize", value: loaded().tokenize(call.text) };
    case "generate": {
      const { ids, count, speculation } = call;
      const value = await generating().generate(ids, count, speculation, signal);
      return { ...head, call: "generate", value };
    }
    case "evaluate":
      return {
        ...head,
        call: "evaluate",
        value: await generating().evaluate(call.ids, call.first, signal),
      };
    case "embed":
      return { ...head, call: "embed", value: await embedding().embed(call.request, signal) };
    case "dispose":
      session?.dispose();
      session = null;
      return { ...head, call: "dispose", value: null };
  }
}

async function load(options: LoadOptions, signal: AbortSignal): Promise<Session | EmbedSession> {
  holdLock(options.lock);
  try {
    return await loadSession(options, events, signal);
  } finally {
    ended = true;
    gate.resume();
  }
}

/** A load alone can be paused: what is fetched later, after a fault, nobody would let go on. */
function pause(): void {
  if (!ended) gate.pause();
}

const events: LoadEvents = {
  progress: (progress) => post({ type: "progress", progress }),
  loading: (variant) =>
    new Promise((resolve) => {
      noted = resolve;
      post({ type: "loading", variant });
    }),
  loaded: (outcome) => post({ type: "loaded", outcome }),
  change: (info) => post({ type: "change", info }),
  kept: (whole) => post({ type: "kept", whole }),
  crew,
  gate,
};

/** The browser frees the lock when the worker dies, which is how the page hears of it. */
function holdLock(name: string): void {
  void navigator.locks?.request(name, () => {
    post({ type: "alive" });
    return new Promise(() => {});
  });
}

function loaded(): Session | EmbedSession {
  if (session !== null) return session;
  throw new WebkilnError(
    "bad-request",
    "the engine has been disposed of",
    "Create a new engine with createEngine.",
  );
}

function generating(): Session {
  const found = loaded();
  if (found instanceof Session) return found;
  throw new WebkilnError(
    "bad-request",
    `${found.info.model} turns texts into vectors; it does not generate text`,
    "Call engine.embed, or load a model that generates text.",
  );
}

function embedding(): EmbedSession {
  const found = loaded();
  if (found instanceof EmbedSession) return found;
  throw new WebkilnError(
    "bad-request",
    `${found.info.model} generates text; it does not turn texts into vectors`,
    "Load an embedder: a model compiled from a sentence-transformers folder.",
  );
}
