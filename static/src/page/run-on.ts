/** The setting "Run on", with what it means for the model that is loaded. */

import { find } from "./dom";
import type { EngineInfo } from "./engine";
import { isRunOn, needsReload, type RunOn, type Wish } from "./wish";
import { words } from "./words";

export interface RunOnState {
  wish: Wish;
  /** The model that is loaded, and what was asked for when it was; null when none is. */
  loaded: { info: EngineInfo; wish: Wish } | null;
}

export class RunOnField {
  private readonly select = find("run-on", HTMLSelectElement);
  private readonly help = find("run-on-help", HTMLElement);
  private readonly reload = find("run-on-reload", HTMLButtonElement);

  constructor(onChange: (runOn: RunOn) => void, onReload: () => void) {
    this.select.addEventListener("change", () => {
      if (isRunOn(this.select.value)) onChange(this.select.value);
    });
    this.reload.addEventListener("click", onReload);
  }

  show(runOn: RunOn, state: RunOnState): void {
    this.select.value = runOn;
    this.help.textContent = runOnHelp(state);
    const { loaded, wish } = state;
    this.reload.hidden = !loaded || !needsReload(wish, loaded.wish, loaded.info);
  }
}

export function runOnHelp({ wish, loaded }: RunOnState): string {
  if (wish.source === "address") {
    const what = wish.variant ? `variant=${wish.variant}` : `backend=${wish.backend}`;
    return words.settings.addressAsks(what);
  }
  if (!loaded) return words.settings.automatic;
  const where = words.ladder.place(loaded.info.backend, loaded.info.threads);
  return needsReload(wish, loaded.wish, loaded.info)
    ? words.settings.stillRuns(where)
    : words.settings.runs(where);
}
