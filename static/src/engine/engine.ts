/** The engine as pages see it: a thin proxy of the worker that holds the model. */

import { checkDevice } from "../device/check";
import { aliveLocks, CrashMarker, CrashMarks } from "../device/crash";
import { type Found, findManifest } from "../load/bundle";
import { openKept } from "../load/cache";
import { fetchManifest } from "../load/fetch-manifest";
import { storedModel } from "../load/library";
import { manifestAddress } from "../load/manifest";
import { markKept, wasKept } from "../load/marks";
import type {
  CapabilityReport,
  ChatMessage,
  ChatRequest,
  EmbeddingRequest,
  Engine,
  EngineInfo,
  EngineOptions,
  Speculation,
  StoredModel,
} from "./api";
import { WebkilnError } from "./api";
import { Chronicle } from "./chronicle";
import { WorkerClient } from "./client";
import { complete } from "./completions";
import { chooseContext } from "./context";
import { embedAll } from "./embeddings";
import { aborted, requireSecureContext } from "./errors";
import type { LoadOptions } from "./protocol";
import { checkEngineOptions, checkSpeculation, resolveMessages } from "./requests";
import { Watch } from "./watch";

const DISPOSE_MS = 1000; // a worker that does not answer in this time is ended anyway

/** Loads a model into a worker of its own; resolves when it can answer. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  checkEngineOptions(options);
  const { download } = options;
  const signals = [options.signal, download?.signal].filter((each) => each !== undefined);
  const signal = AbortSignal.any(signals);
  if (signal.aborted) throw aborted();
  const marks = new CrashMarks();
  const load = await loadOptions(options, marks);
  if (signal.aborted) throw aborted();
  const key = modelKey(options);
  const marker = new CrashMarker(marks, key, load.lock);
  const chronicle = new Chronicle(key, options.context ?? 0);
  const watch = new Watch(options, marker, chronicle, (whole) => markKept(key, whole));
  const client = new WorkerClient(load.lock, watch);
  const abort = (): void => client.kill();
  signal.addEventListener("abort", abort);
  download?.follow((paused) => client.pause(paused));
  try {
    watch.ready(await client.call("load", { options: load }));
    return new WorkerEngine(client, watch);
  } catch (error) {
    watch.failed(error);
    client.kill();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

type Question = Pick<
  EngineOptions,
  "model" | "mirrors" | "integrity" | "backend" | "variant" | "context" | "threads" | "tuned"
>;

/** What is known of a model without loading it. */
export interface Looked extends Found {
  context: number;
  report: CapabilityReport;
}

/** What this device could run of a model, without loading it: at most the manifest is fetched. */
export async function inspectDevice(options: Question): Promise<{ report: CapabilityReport }> {
  const { report } = await look(options);
  return { report };
}

export async function look(options: Question): Promise<Looked> {
  checkEngineOptions(options);
  const { integrity, crashed, ...asked } = await loadOptions(options);
  // Hashing needs a secure context; without one the report is bad news that needs no proof.
  const found = await findHere(options, globalThis.isSecureContext ? integrity : null);
  const context = chooseContext(found.manifest, asked.context);
  const { backend, variant } = asked;
  const { report } = await checkDevice(found.manifest, { backend, variant, context, crashed });
  return { ...found, context, report };
}

/** What this browser keeps of a model, and what is missing: at most the manifest is fetched. */
export async function inspectStorage(
  options: Pick<EngineOptions, "model" | "mirrors" | "integrity" | "variant">,
): Promise<StoredModel> {
  checkEngineOptions(options);
  requireSecureContext();
  return storedModel(await findHere(options, options.integrity ?? null), options.variant);
}

async function findHere(
  options: Pick<EngineOptions, "model" | "mirrors">,
  integrity: string | null,
): Promise<Found> {
  const kept = (await openKept())?.manifests ?? null;
  const fetch = () => fetchManifest(manifestAddresses(options), integrity);
  return findManifest({ integrity, kept, fetch });
}

function manifestAddresses({
  model,
  mirrors = [],
}: Pick<EngineOptions, "model" | "mirrors">): string[] {
  return [model, ...mirrors].map((folder) => manifestAddress(folder, baseAddress()));
}

async function loadOptions(options: Question, marks = new CrashMarks()): Promise<LoadOptions> {
  return {
    manifests: manifestAddresses(options),
    integrity: options.integrity ?? null,
    backend: options.backend ?? null,
    variant: options.variant ?? null,
    context: options.context ?? null,
    threads: options.threads ?? null,
    tuned: options.tuned ?? true,
    crashed: marks.crashed(modelKey(options), await aliveLocks()),
    expected: wasKept(modelKey(options)),
    lock: `webkiln-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`,
  };
}

/** What is remembered of a model goes by this: a model compiled anew deserves a fresh start. */
export function modelKey({ integrity, model }: Pick<Question, "integrity" | "model">): string {
  return integrity ?? manifestAddress(model, baseAddress());
}

/** Relative addresses mean what they mean in the page, not in the worker. */
function baseAddress(): string {
  return globalThis.document?.baseURI ?? globalThis.location.href;
}

class WorkerEngine implements Engine {
  readonly chat: Engine["chat"];
  readonly embeddings: Engine["embeddings"];

  constructor(
    private readonly client: WorkerClient,
    private readonly watch: Watch,
  ) {
    const create = (request: ChatRequest) =>
      complete(client, this.info.model, request, (usage) => watch.answered(usage));
    // `stream` decides which of the two shapes comes back, as the overloads promise.
    this.chat = { completions: { create } } as Engine["chat"];
    this.embeddings = { create: (request) => embedAll(client, this.info.model, request) };
  }

  get info(): EngineInfo {
    return this.watch.info as EngineInfo; // there since before this engine was made
  }

  async embed(
    texts: string[],
    options: Omit<EmbeddingRequest, "input"> = {},
  ): Promise<Float32Array<ArrayBuffer>[]> {
    const { data } = await this.embeddings.create({ ...options, input: texts });
    return data.map(({ embedding }) => embedding);
  }

  async countTokens(messages: ChatMessage[]): Promise<number> {
    return this.client.call("count", { messages: resolveMessages(messages) });
  }

  async tokenize(text: string): Promise<number[]> {
    return this.client.call("tokenize", { text });
  }

  async generate(
    ids: number[],
    count: number,
    speculation: Speculation = "off",
  ): Promise<number[]> {
    const checked = checkSpeculation(speculation);
    return this.client.call("generate", { ids, count, speculation: checked });
  }

  async evaluate(ids: number[], first: number): Promise<Float32Array> {
    return this.client.call("evaluate", { ids, first });
  }

  async dispose(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, DISPOSE_MS));
    await Promise.race([this.client.call("dispose", {}).catch(() => {}), late]);
    this.watch.loaded("failed"); // should it have been loading again
    this.client.kill(
      new WebkilnError(
        "bad-request",
        "the engine has been disposed of",
        "Create a new engine with createEngine.",
      ),
    );
  }
}
