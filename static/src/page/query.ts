/**
 * What the page's address asks for: `?model=`, `?backend=`, `?variant=`, `?threads=`, `?context=`,
 * `?autoload`.
 */

import type { Backend } from "./engine";
import { words } from "./words";

export interface Query {
  model?: string;
  backend?: Backend;
  variant?: string;
  threads?: number;
  context?: number;
  autoload: boolean;
  /** What could not be understood, in plain words. */
  problems: string[];
}

export function parseQuery(search: string): Query {
  const parameters = new URLSearchParams(search);
  const query: Query = { autoload: parameters.has("autoload"), problems: [] };
  const model = parameters.get("model");
  if (model) query.model = model;
  const variant = parameters.get("variant");
  if (variant) query.variant = variant;
  const backend = parameters.get("backend");
  if (backend === "webgpu" || backend === "wasm") query.backend = backend;
  else if (backend !== null)
    query.problems.push(words.address.leftOut("backend", backend, words.address.backends));
  for (const name of COUNTS) {
    const value = parameters.get(name);
    if (value === null) continue;
    if (/^[1-9]\d{0,8}$/.test(value)) query[name] = Number(value);
    else query.problems.push(words.address.leftOut(name, value, words.address[name]));
  }
  return query;
}

const COUNTS = ["threads", "context"] as const;
