import type { Manifest } from "../plan";
import { WebkilnError } from "./api";

/** The context to allocate: what was asked for, checked against what the model was made for. */
export function chooseContext(manifest: Manifest, asked: number | null): number {
  const context = asked ?? manifest.default_context;
  if (context <= manifest.context) return context;
  throw new WebkilnError(
    "bad-request",
    `context is ${context}; this model was made for at most ${manifest.context} tokens`,
    "Choose a smaller context.",
  );
}
