/** How far the page is: its start card, a model on its way, or somebody there to be asked. */

import { find } from "./dom";

export type State = "start" | "loading" | "ready";

let begin: () => void;

/** Resolves when a person can ask for the first time. What can wait until then should. */
export const ready = new Promise<void>((resolve) => {
  begin = resolve;
});

export function isReady(): boolean {
  return document.body.dataset.state === "ready";
}

export function setStage(state: State): void {
  document.body.dataset.state = state;
  find("start", HTMLElement).hidden = state === "ready";
  find("dock", HTMLElement).hidden = state !== "ready";
  find("new-chat", HTMLButtonElement).hidden = state !== "ready";
  if (state === "ready") begin();
}
