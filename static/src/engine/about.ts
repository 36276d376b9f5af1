/** What a manifest says of its model, for people. */

import type { Embedding, Manifest } from "../plan";
import type { EmbeddingInfo } from "./api";
import type { About, Coding } from "./assessment";

export function about(manifest: Manifest): About {
  const { name, architecture, source, parameters, card, notes, embedding } = manifest;
  const { context, default_context: defaultContext } = manifest;
  return {
    ...{ name, architecture, source, parameters, context, defaultContext, card, notes },
    codings: codings(manifest),
    embedding: embedding && embeddingInfo(embedding, defaultContext),
  };
}

export function embeddingInfo(embedding: Embedding, context: number): EmbeddingInfo {
  const { dimensions, pooling, normalised, prompts, default_prompt: defaultPrompt } = embedding;
  const limit = Math.min(embedding.limit, context);
  return { dimensions, limit, pooling, normalised, prompts, defaultPrompt };
}

/** By their share of the numbers that the model is made of. */
function codings({ tensors }: Manifest): Coding[] {
  const found = new Map<string, Coding>();
  let all = 0;
  for (const { shape, scheme } of Object.values(tensors)) {
    const { bits, group, has_minimum: minimum } = scheme;
    const key = JSON.stringify([bits, group, minimum]);
    const known = found.get(key) ?? { share: 0, bits, group, minimum };
    const count = shape.reduce((product, extent) => product * extent, 1);
    all += count;
    found.set(key, { ...known, share: known.share + count });
  }
  const shares = [...found.values()].map((coding) => ({ ...coding, share: coding.share / all }));
  return shares.sort((a, b) => b.share - a.share);
}
