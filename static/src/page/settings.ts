/** What a person can set: ranges, defaults, and how it is kept. */

import type { ChatRequest } from "./engine";
import { isRunOn, type RunOn } from "./wish";
import { words } from "./words";

export type NumberName =
  | "temperature"
  | "top_p"
  | "top_k"
  | "min_p"
  | "repetition_penalty"
  | "presence_penalty"
  | "frequency_penalty"
  | "seed"
  | "max_tokens";

export interface Setting {
  name: NumberName;
  min: number;
  max: number;
  step: number;
  /** null: may be left empty, and is by default. */
  initial: number | null;
}

export const SETTINGS: Setting[] = [
  {
    name: "temperature",
    min: 0,
    max: 2,
    step: 0.05,
    initial: 0.7,
  },
  {
    name: "top_p",
    min: 0,
    max: 1,
    step: 0.01,
    initial: 0.95,
  },
  {
    name: "min_p",
    min: 0,
    max: 1,
    step: 0.01,
    initial: 0,
  },
  {
    name: "repetition_penalty",
    min: 0.5,
    max: 2,
    step: 0.05,
    initial: 1,
  },
  {
    name: "presence_penalty",
    min: -2,
    max: 2,
    step: 0.1,
    initial: 0,
  },
  {
    name: "frequency_penalty",
    min: -2,
    max: 2,
    step: 0.1,
    initial: 0,
  },
  {
    name: "top_k",
    min: 0,
    max: 1000000,
    step: 1,
    initial: 0,
  },
  {
    name: "max_tokens",
    min: 1,
    max: 1000000,
    step: 1,
    initial: null,
  },
  {
    name: "seed",
    min: 0,
    max: 4294967295,
    step: 1,
    initial: null,
  },
];

export interface Settings {
  system: string;
  numbers: Record<NumberName, number | null>;
  runOn: RunOn;
}

export function defaults(): Settings {
  const entries = SETTINGS.map(({ name, initial }) => [name, initial]);
  const numbers = Object.fromEntries(entries) as Settings["numbers"];
  return { system: "", numbers, runOn: "auto" };
}

/** The number a person typed, or a sentence that says what is allowed. */
export function readNumber(setting: Setting, text: string): { value: number | null } | string {
  const { label } = words.numbers[setting.name];
  const trimmed = text.trim();
  if (trimmed === "") {
    return setting.initial === null ? { value: null } : words.settings.needsNumber(label);
  }
  const value = Number(trimmed.replace(",", ".")); // as many languages write it
  const whole = setting.step === 1;
  if (value >= setting.min && value <= setting.max && (!whole || Number.isInteger(value))) {
    return { value };
  }
  return words.settings.outOfRange(label, whole, setting.min, setting.max);
}

/** Settings as they were stored; what is missing or no longer allowed gets its default. */
export function parseSettings(stored: string | null): Settings {
  const settings = defaults();
  let found: unknown;
  try {
    found = JSON.parse(stored ?? "null");
  } catch {
    return settings;
  }
  if (typeof found !== "object" || found === null) return settings;
  const { system, numbers, runOn } = found as Partial<Settings>;
  if (typeof system === "string") settings.system = system;
  if (isRunOn(runOn)) settings.runOn = runOn;
  for (const setting of SETTINGS) {
    const value = numbers?.[setting.name];
    if (typeof value !== "number") continue;
    const read = readNumber(setting, String(value));
    if (typeof read !== "string") settings.numbers[setting.name] = read.value;
  }
  return settings;
}

/** The part of a request that these settings make up; empty ones are left to the engine. */
export function requestOptions(settings: Settings): Partial<ChatRequest> {
  const set = Object.entries(settings.numbers).filter(([, value]) => value !== null);
  return Object.fromEntries(set);
}
