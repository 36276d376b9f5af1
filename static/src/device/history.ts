/** How models ran on this device before: how fast, and where memory ended. */

import type { Usage } from "../engine/api";
import type { MarkStorage } from "./crash";
import { tokensPerSecond } from "./rate";
import { Remembered } from "./remembered";

const SPEEDS = "webkiln.speeds";
const SPEEDS_MS = 90 * 24 * 3600 * 1000;
const ENDS = "webkiln.out-of-memory";
const ENDS_MS = 7 * 24 * 3600 * 1000; // other programs may have taken the memory
const LEAST_TOKENS = 16; // of an answer whose speed counts

/** What a way of running a model is known by. */
export interface Way {
  /** The manifest's hash or address. */
  model: string;
  variant: string;
}

interface At extends Way {
  context: number;
}

interface Ran extends At {
  tokensPerSecond: number;
}

export class History {
  private readonly speeds: Remembered<Ran>;
  private readonly ends: Remembered<At>;

  constructor(storage?: MarkStorage | null, now?: () => number, browser?: string) {
    const isRan = (entry: Partial<Record<keyof Ran, unknown>>): boolean =>
      isAt(entry) && typeof entry.tokensPerSecond === "number" && entry.tokensPerSecond > 0;
    this.speeds = new Remembered(SPEEDS, SPEEDS_MS, isRan, storage, now, browser);
    this.ends = new Remembered(ENDS, ENDS_MS, isAt, storage, now, browser);
  }

  /** An answer came; a short one says little. The newest speed counts as much as all before it. */
  answered(way: Way, context: number, usage: Usage): void {
    const { completion_tokens, decode_seconds } = usage;
    const now = tokensPerSecond(completion_tokens, decode_seconds);
    if (completion_tokens < LEAST_TOKENS || now === null) return;
    this.ends.remove((end) => isOf(end, way) && end.context <= context);
    const known = this.find(way);
    const entry: Ran = {
      ...way,
      context: Math.max(known?.context ?? 0, context),
      tokensPerSecond: known ? (known.tokensPerSecond + now) / 2 : now,
    };
    this.speeds.add(entry, (other) => isOf(other, way));
  }

  ranOutOfMemory(way: Way, context: number): void {
    const least = Math.min(context, this.ranOut(way) ?? context);
    this.ends.add({ ...way, context: least }, (other) => isOf(other, way));
  }

  /** Tokens a second; null: it never answered here. */
  speed(way: Way): number | null {
    return this.find(way)?.tokensPerSecond ?? null;
  }

  /** Whether it answered here with as large a context. */
  ran(way: Way, context: number): boolean {
    return (this.find(way)?.context ?? 0) >= context;
  }

  /** The smallest context at which memory ended; null: it never did. */
  ranOut(way: Way): number | null {
    return this.ends.all().find((end) => isOf(end, way))?.context ?? null;
  }

  private find(way: Way): Ran | undefined {
    return this.speeds.all().find((ran) => isOf(ran, way));
  }
}

function isAt({ model, variant, context }: Partial<Record<keyof At, unknown>>): boolean {
  return typeof model === "string" && typeof variant === "string" && typeof context === "number";
}

function isOf(entry: Way, { model, variant }: Way): boolean {
  return entry.model === model && entry.variant === variant;
}
