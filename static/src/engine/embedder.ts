/** One text after the other through `embed_<N>`, the smallest that holds it. */

import type { Backend } from "../backends/backend";
import type { Embedding } from "../plan";
import { textState } from "./state";

export class Embedder {
  constructor(
    private readonly backend: Backend,
    private readonly embedding: Pick<Embedding, "dimensions" | "padded">,
  ) {}

  /** Starts a run; what comes back is the text's vector. Further runs need not wait for it. */
  async run(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const { backend, embedding } = this;
    const chunk = backend.texts.find(({ rows }) => rows >= ids.length);
    if (chunk === undefined) throw new Error(`no function embeds ${ids.length} tokens`);
    const rows = embedding.padded ? chunk.rows : ids.length;
    backend.write("tokens", 0, Int32Array.from(ids));
    backend.write("control", 0, textState(ids.length, rows, backend.context));
    backend.run(chunk.name, rows);
    const vector = await backend.read(chunk.name, "embedding");
    return vector.slice(0, embedding.dimensions);
  }
}
