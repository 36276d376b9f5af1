/** The engine as pages see it: a thin proxy of the worker that holds the model. */

import { checkDevice, type Wishes } from "../device/check";
import { fetchManifest } from "../load/bundle";
import { manifestAddress } from "../load/manifest";
import type {
  CapabilityReport,
  ChatMessage,
  ChatRequest,
  Engine,
  EngineInfo,
  EngineOptions,
} from "./api";
import { WebkilnError } from "./api";
import { WorkerClient } from "./client";
import { complete } from "./completions";
import { chooseContext } from "./context";
import { aborted } from "./errors";
import { checkEngineOptions, resolveMessages } from "./requests";

const DISPOSE_MS = 1000; // a worker that does not answer in this time is ended anyway

/** Loads a model into a worker of its own; resolves when it can answer. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  checkEngineOptions(options);
  const { signal } = options;
  if (signal?.aborted) throw aborted();
  const client = new WorkerClient(new URL("./worker.js", import.meta.url));
  if (options.onProgress) client.onProgress = options.onProgress;
  const abort = (): void => client.kill();
  signal?.addEventListener("abort", abort);
  try {
    const info = await client.call("load", { options: loadOptions(options, client.lock) });
    return new WorkerEngine(client, info);
  } catch (error) {
    client.kill();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** What this device could run of a model, without loading it: only the manifest is fetched. */
export async function inspectDevice(
  options: Pick<EngineOptions, "model" | "integrity" | "backend" | "variant" | "context">,
): Promise<{ report: CapabilityReport }> {
  checkEngineOptions(options);
  // Hashing needs a secure context; without one the report is bad news that needs no proof.
  const integrity = globalThis.isSecureContext ? (options.integrity ?? null) : null;
  const manifest = await fetchManifest(manifestAddress(options.model, baseAddress()), integrity);
  const wishes: Wishes = {
    backend: options.backend ?? null,
    variant: options.variant ?? null,
    context: chooseContext(manifest, options.context ?? null),
  };
  const { report } = await checkDevice(manifest, wishes);
  return { report };
}

function loadOptions(options: EngineOptions, lock: string) {
  return {
    manifest: manifestAddress(options.model, baseAddress()),
    integrity: options.integrity ?? null,
    backend: options.backend ?? null,
    variant: options.variant ?? null,
    context: options.context ?? null,
    lock,
  };
}

/** Relative addresses mean what they mean in the page, not in the worker. */
function baseAddress(): string {
  return globalThis.document?.baseURI ?? globalThis.location.href;
}

class WorkerEngine implements Engine {
  readonly chat: Engine["chat"];

  constructor(
    private readonly client: WorkerClient,
    readonly info: EngineInfo,
  ) {
    const create = (request: ChatRequest) => complete(client, info.model, request);
    // `stream` decides which of the two shapes comes back, as the overloads promise.
    this.chat = { completions: { create } } as Engine["chat"];
  }

  async countTokens(messages: ChatMessage[]): Promise<number> {
    return this.client.call("count", { messages: resolveMessages(messages) });
  }

  async tokenize(text: string): Promise<number[]> {
    return this.client.call("tokenize", { text });
  }

  async generate(ids: number[], count: number): Promise<number[]> {
    return this.client.call("generate", { ids, count });
  }

  async evaluate(ids: number[], first: number): Promise<Float32Array> {
    return this.client.call("evaluate", { ids, first });
  }

  async dispose(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, DISPOSE_MS));
    await Promise.race([this.client.call("dispose", {}).catch(() => {}), late]);
    this.client.kill(
      new WebkilnError(
        "bad-request",
        "the engine has been disposed of",
        "Create a new engine with createEngine.",
      ),
    );
  }
}
