/** A loaded embedder in the worker: everything between texts and the backend. */

import type { Embedding } from "../plan";
import { Embedder } from "./embedder";
import { aborted } from "./errors";
import type { EmbedResult, ResolvedEmbed } from "./protocol";
import { badRequest } from "./requests";
import { type Loaded, Running } from "./running";

interface Text {
  ids: number[];
  truncated: boolean;
}

export class EmbedSession extends Running<Embedder> {
  private readonly limit: number;

  constructor(
    loaded: Loaded,
    private readonly embedding: Embedding,
  ) {
    super(loaded, (backend) => new Embedder(backend, embedding));
    this.limit = Math.min(embedding.limit, loaded.context);
  }

  /** The texts' vectors, in their order. Throws `aborted` when the signal ends it. */
  async embed({ texts, prompt }: ResolvedEmbed, signal: AbortSignal): Promise<EmbedResult> {
    const before = this.promptText(prompt);
    const cut = texts.map((text) => this.cut(before + text));
    return {
      vectors: await this.inTurn(signal, (embedder) => vectors(embedder, cut, signal)),
      tokens: cut.map(({ ids }) => ids.length),
      truncated: cut.map(({ truncated }) => truncated),
    };
  }

  private promptText(name: string | null): string {
    const { prompts, default_prompt: usual } = this.embedding;
    const wanted = name ?? usual;
    if (wanted === "") return "";
    if (Object.hasOwn(prompts, wanted)) return prompts[wanted] ?? "";
    const known = Object.keys(prompts).map((each) => JSON.stringify(each));
    throw badRequest("prompt", wanted, known.length > 0 ? `one of ${known.join(", ")}` : '""');
  }

  /** A text's tokens as sentence-transformers has them; what is beyond the limit is dropped. */
  private cut(text: string): Text {
    const { before, after, lowercase } = this.embedding;
    const trimmed = text.trim();
    const ids = this.tokenize(lowercase ? trimmed.toLowerCase() : trimmed);
    const room = Math.max(0, this.limit - before.length - after.length);
    return {
      ids: [...before, ...ids.slice(0, room), ...after],
      truncated: ids.length > room,
    };
  }
}

/** One text runs while the next is queued. */
async function vectors(
  embedder: Embedder,
  texts: readonly Text[],
  signal: AbortSignal,
): Promise<Float32Array<ArrayBuffer>[]> {
  const found: Promise<Float32Array<ArrayBuffer>>[] = [];
  for (const { ids } of texts) {
    await found.at(-2);
    if (signal.aborted) break;
    const vector = embedder.run(ids);
    // When the device is lost it fails before its turn comes to be awaited.
    vector.catch(() => {});
    found.push(vector);
  }
  const done = await Promise.all(found);
  if (signal.aborted) throw aborted();
  return done;
}
