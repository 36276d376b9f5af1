/** Vectors of texts in OpenAI's shape. */

import type { EmbeddingRequest, EmbeddingResponse } from "./api";
import type { WorkerClient } from "./client";
import { resolveEmbed } from "./requests";

/** Embeds a request's texts; a malformed one is refused here, before it reaches the worker. */
export async function embedAll(
  client: WorkerClient,
  model: string,
  request: EmbeddingRequest,
): Promise<EmbeddingResponse> {
  const resolved = resolveEmbed(request);
  const result = await client.call("embed", { request: resolved }, { signal: request.signal });
  const { vectors, tokens, truncated } = result;
  const total = tokens.reduce((sum, count) => sum + count, 0);
  return {
    object: "list",
    model,
    data: vectors.map((embedding, index) => ({
      object: "embedding",
      index,
      embedding,
      tokens: tokens[index] ?? 0,
      truncated: truncated[index] ?? false,
    })),
    usage: { prompt_tokens: total, total_tokens: total },
  };
}
