/** Small lists in the page's storage that forget by themselves. */

import { type MarkStorage, pageStorage } from "./crash";

/** An entry counts in the browser version that made it: a new one may do better. */
interface Stamp {
  /** Milliseconds since 1970. */
  at: number;
  browser: string;
}

export class Remembered<T extends object> {
  constructor(
    private readonly key: string,
    private readonly keptMs: number,
    private readonly is: (entry: Partial<Record<keyof T, unknown>>) => boolean,
    private readonly storage: MarkStorage | null = pageStorage(),
    private readonly now: () => number = Date.now,
    private readonly browser: string = navigator.userAgent,
  ) {}

  /** The newest last; storage that fails is an empty list. */
  all(): T[] {
    try {
      const entries: unknown = JSON.parse(this.storage?.getItem(this.key) ?? "[]");
      return Array.isArray(entries) ? entries.filter((entry) => this.counts(entry)) : [];
    } catch {
      return [];
    }
  }

  /** Adds an entry, in place of those that it `replaces`. */
  add(entry: T, replaces: (other: T) => boolean): void {
    const stamp: Stamp = { at: this.now(), browser: this.browser };
    this.write([...this.all().filter((other) => !replaces(other)), { ...entry, ...stamp }]);
  }

  remove(unwanted: (entry: T) => boolean): void {
    this.write(this.all().filter((entry) => !unwanted(entry)));
  }

  private write(entries: T[]): void {
    try {
      this.storage?.setItem(this.key, JSON.stringify(entries.slice(-MOST)));
    } catch {
      // Full or blocked: it is found out again.
    }
  }

  private counts(entry: unknown): entry is T & Stamp {
    if (typeof entry !== "object" || entry === null) return false;
    const { at, browser } = entry as Partial<Stamp>;
    return (
      typeof at === "number" &&
      at > this.now() - this.keptMs &&
      browser === this.browser &&
      this.is(entry)
    );
  }
}

const MOST = 100; // entries
