/** How the model is asked to run, and who asks. */

import type { EngineOptions } from "../engine/api";
import type { Backend, EngineInfo } from "./engine";
import type { Query } from "./query";

export type RunOn = "auto" | Backend;

export function isRunOn(value: unknown): value is RunOn {
  return value === "auto" || value === "webgpu" || value === "wasm";
}

/** What goes to the engine; what is absent is the engine's choice. */
export interface Way {
  backend?: Backend | undefined;
  variant?: string | undefined;
  threads?: number | undefined;
}

export interface Wish extends Way {
  /** Who forces a backend or a variant; null when nobody does. */
  source: "address" | "setting" | "click" | null;
  /** The address and the setting disagree, and the address wins. */
  overruled: boolean;
}

/**
 * A button pressed on this visit goes before the address, and the address before the setting.
 * `click` may be empty: then somebody pressed "choose automatically".
 */
export function decide(query: Query, setting: RunOn, click: Way | null): Wish {
  const threads = query.threads === undefined ? {} : { threads: query.threads };
  const forcing = (way: Way): boolean => way.backend !== undefined || way.variant !== undefined;
  if (click !== null) {
    return { ...click, ...threads, source: forcing(click) ? "click" : null, overruled: false };
  }
  if (forcing(query)) {
    const { backend, variant } = query;
    const way = { ...(backend && { backend }), ...(variant && { variant }) };
    const overruled = setting !== "auto" && setting !== backend;
    return { ...way, ...threads, source: "address", overruled };
  }
  if (setting === "auto") return { ...threads, source: null, overruled: false };
  return { backend: setting, ...threads, source: "setting", overruled: false };
}

/** Only what the engine needs to know. */
export function toWay({
  backend,
  variant,
  threads,
}: Wish): Pick<EngineOptions, "backend" | "variant" | "threads"> {
  return {
    ...(backend && { backend }),
    ...(variant && { variant }),
    ...(threads && { threads }),
  };
}

/** What the engine is asked of one model. */
export type Asked = Pick<EngineOptions, "backend" | "variant" | "threads" | "context">;

/** `another`: a model that is not the page's, which opens with what `modelAddress` leaves. */
export function asked(query: Query, setting: RunOn, click: Way | null, another: boolean): Asked {
  if (another) {
    const { variant: _, ...left } = query;
    return toWay(decide(left, setting, null));
  }
  const { context } = query;
  return { ...toWay(decide(query, setting, click)), ...(context && { context }) };
}

/** Whether a model that was loaded as `loaded` asks has to be loaded anew for `now`. */
export function needsReload(now: Wish, loaded: Wish, info: EngineInfo): boolean {
  if (now.source === null) return loaded.source !== null;
  const backend = now.backend === undefined || now.backend === info.backend;
  return !(backend && (now.variant === undefined || now.variant === info.variant));
}
