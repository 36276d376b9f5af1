/** The setting "Run on", with what it means for the model that is loaded. */

import { find } from "./dom";
import type { EngineInfo } from "./engine";
import { place } from "./ladder";
import { isRunOn, needsReload, type RunOn, type Wish } from "./wish";

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
    return `This page's address asks for ${what}, which goes before this setting.`;
  }
  if (!loaded) return "Automatic takes the fastest way that works on this device.";
  const where = place(loaded.info.backend, loaded.info.threads);
  return needsReload(wish, loaded.wish, loaded.info)
    ? `The model still runs ${where}. Reloading it keeps the conversation.`
    : `The model runs ${where}.`;
}
