/** What was asked for on the command line. */

import { parseArgs } from "node:util";
import type { Manifest } from "../../../static/src/plan";
import type { Lengths } from "./speed";

const OPTIONS = {
  context: { type: "string" },
  decode: { type: "string" },
  long: { type: "string" },
  output: { type: "string" },
  rounds: { type: "string" },
  short: { type: "string" },
  variant: { type: "string", multiple: true },
} as const;

/** For a graphics card; software gets less to do. */
const USUAL = { context: 4096, decode: 128, long: 3840, rounds: 3, short: 128 };
const EMULATED = { context: 512, decode: 8, long: 128, rounds: 1, short: 16 };

const parsed = parseArgs({ options: OPTIONS, allowPositionals: true });

export const folders = parsed.positionals;
export const { output, variant: variants } = parsed.values;

/** How long prompts and answers are: as asked for, cut to what the model's context holds. */
export function chosenLengths(manifest: Manifest, emulated: boolean): Lengths {
  const usual = emulated ? EMULATED : USUAL;
  const chosen = (name: keyof typeof USUAL): number => count(name) ?? usual[name];
  const context = Math.min(chosen("context"), manifest.context);
  const decode = Math.min(chosen("decode"), Math.floor(context / 2));
  const room = context - decode - 1;
  const prompts = [chosen("short"), chosen("long")].map((length) => Math.min(length, room));
  return { context, decode, rounds: chosen("rounds"), prompts: [...new Set(prompts)] };
}

function count(name: keyof typeof USUAL): number | null {
  const text = parsed.values[name];
  if (text === undefined) return null;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} ${text}: give a whole number above 0`);
}
