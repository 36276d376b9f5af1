/** The models a server offers. */

import { ServerError } from "./errors";
import { ask, type Server } from "./request";

export interface ServerModel {
  id: string;
  /** Positions of its context, where the server says. */
  context: number | null;
}

/** Throws where the list is not one, or is empty. */
export async function listModels(server: Server, signal?: AbortSignal): Promise<ServerModel[]> {
  const response = await ask(server, { path: "/models", signal });
  const models = readModels(await response.json().catch(() => null));
  if (models.length > 0) return models;
  const address = `${server.base}/models`;
  throw new ServerError(
    "server-strange",
    `${address} is no list of models`,
    "Check that the address is that of an OpenAI-compatible server, and that it has a model.",
    { address },
  );
}

export function readModels(value: unknown): ServerModel[] {
  const data = (value as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) return [];
  return data.flatMap((entry: unknown) => {
    const { id } = (entry ?? {}) as { id?: unknown };
    return typeof id === "string" && id !== "" ? [{ id, context: contextOf(entry) }] : [];
  });
}

/** llama.cpp calls it meta.n_ctx, vLLM max_model_len; others do not say. */
function contextOf(entry: unknown): number | null {
  const { meta, max_model_len } = entry as { meta?: { n_ctx?: unknown }; max_model_len?: unknown };
  const context = meta?.n_ctx ?? max_model_len;
  return typeof context === "number" && context > 0 ? context : null;
}

/** A model's name as a person reads it: servers of single files name them by their path. */
export function modelName(id: string): string {
  return /^(\/|[A-Za-z]:\\)/.test(id) ? (id.split(/[\\/]/).at(-1) ?? id) : id;
}
