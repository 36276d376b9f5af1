/** A loaded embedder in the worker: everything between texts and the backend. */

import type { Embedding } from "../plan";
import type { EngineInfo } from "./api";
import { Embedder } from "./embedder";
import { aborted } from "./errors";
import type { EmbedResult, ResolvedEmbed } from "./protocol";
import { Recovery } from "./recover";
import { badRequest } from "./requests";
import { describe, type Loaded } from "./session";

interface Text {
  ids: number[];
  truncated: boolean;
}

export class EmbedSession {
  private readonly recovery: Recovery<Embedder>;
  private readonly limit: number;
  /** One request runs at a time; later ones wait their turn here. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly loaded: Loaded,
    private readonly embedding: Embedding,
  ) {
    const { ladder, footing } = loaded;
    this.limit = Math.min(embedding.limit, loaded.context);
    this.recovery = new Recovery(
      ladder,
      footing,
      (backend) => new Embedder(backend, embedding),
      (note) => {
        if (!loaded.notes.includes(note)) loaded.notes.push(note);
        loaded.change(this.info);
      },
    );
  }

  get info(): EngineInfo {
    return describe(this.loaded, this.recovery.footing);
  }

  tokenize(text: string): number[] {
    return this.loaded.codec.encode(text);
  }

  /** The texts' vectors, in their order. Throws `aborted` when the signal ends it. */
  async embed({ texts, prompt }: ResolvedEmbed, signal: AbortSignal): Promise<EmbedResult> {
    const before = this.promptText(prompt);
    const cut = texts.map((text) => this.cut(before + text));
    const result = this.turn.then(() =>
      this.recovery.run(signal, (embedder) => vectors(embedder, cut, signal)),
    );
    this.turn = result.catch(() => {});
    return {
      vectors: await result,
      tokens: cut.map(({ ids }) => ids.length),
      truncated: cut.map(({ truncated }) => truncated),
    };
  }

  dispose(): void {
    this.recovery.dispose();
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
