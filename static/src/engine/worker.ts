/** The worker's end of the protocol: calls in, replies out. */

import { WebkilnError } from "./api";
import { RemoteCrew } from "./crew";
import { toWire } from "./errors";
import { type LoadEvents, loadSession } from "./load";
import type { Call, FromWorker, LoadOptions, Reply, ToWorker } from "./protocol";
import type { Session } from "./session";

const running = new Map<number, AbortController>();
let session: Session | null = null;
/** What waits for the page to have noted the load that begins. */
let noted: () => void = () => {};

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

const crew = new RemoteCrew(post);

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "abort") running.get(data.id)?.abort();
  else if (data.type === "noted") noted();
  else if (data.type === "unfit") crew.unfit(data.id, data.problem);
  else void answer(data);
});

async function answer(call: Call): Promise<void> {
  const controller = new AbortController();
  running.set(call.id, controller);
  try {
    const reply = await perform(call, controller.signal);
    post(reply, reply.call === "evaluate" ? [reply.value.buffer] : []);
  } catch (error) {
    post({ type: "error", id: call.id, error: toWire(error) });
  } finally {
    running.delete(call.id);
  }
}

async function perform(call: Call, signal: AbortSignal): Promise<Reply> {
  const head = { type: "reply", id: call.id } as const;
  switch (call.type) {
    case "load":
      session = await load(call.options, signal);
      return { ...head, call: "load", value: session.info };
    case "chat": {
      const onText = (text: string): void => post({ type: "delta", id: call.id, text });
      return { ...head, call: "chat", value: await loaded().chat(call.request, signal, onText) };
    }
    case "count":
      return { ...head, call: "count", value: loaded().promptIds(call.messages).length };
    case "tokenize":
      return { ...head, call: "tokenize", value: loaded().tokenize(call.text) };
    case "generate": {
      const { ids, count, speculation } = call;
      const value = await loaded().generate(ids, count, speculation, signal);
      return { ...head, call: "generate", value };
    }
    case "evaluate":
      return {
        ...head,
        call: "evaluate",
        value: await loaded().evaluate(call.ids, call.first, signal),
      };
    case "dispose":
      session?.dispose();
      session = null;
      return { ...head, call: "dispose", value: null };
  }
}

async function load(options: LoadOptions, signal: AbortSignal): Promise<Session> {
  holdLock(options.lock);
  return loadSession(options, events, signal);
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
  crew,
};

/** The browser frees the lock when the worker dies, which is how the page hears of it. */
function holdLock(name: string): void {
  void navigator.locks?.request(name, () => {
    post({ type: "alive" });
    return new Promise(() => {});
  });
}

function loaded(): Session {
  if (session !== null) return session;
  throw new WebkilnError(
    "bad-request",
    "the engine has been disposed of",
    "Create a new engine with createEngine.",
  );
}
