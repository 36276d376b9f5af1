/**
 * Crash marks: which variants of which models took the tab down while they loaded.
 *
 * A mark is set before a load and taken away when the load ends in any way that leaves code
 * running. What stays behind, and whose owner is no longer alive, is a crash.
 */

const STORE = "webkiln.crashes";
const KEPT_MS = 7 * 24 * 3600 * 1000;

interface Mark {
  /** The manifest's hash or address. */
  model: string;
  variant: string;
  /** The Web Lock the loading engine's worker holds while it lives; null: it did crash. */
  owner: string | null;
  /** Milliseconds since 1970. */
  at: number;
  /** Its user agent string: a new version may have mended what was wrong. */
  browser: string;
}

export type MarkStorage = Pick<Storage, "getItem" | "setItem">;

/** Null in workers, and where the visitor has blocked storage: nothing is remembered then. */
export function pageStorage(): MarkStorage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** The marks of all models. Storage that fails is an empty list. */
export class CrashMarks {
  constructor(
    private readonly storage: MarkStorage | null = pageStorage(),
    private readonly browser: string = navigator.userAgent,
    private readonly now: () => number = Date.now,
  ) {}

  add(model: string, variant: string, owner: string | null): void {
    const mark: Mark = { model, variant, owner, at: this.now(), browser: this.browser };
    this.write([...this.read(), mark]);
  }

  remove(unwanted: (mark: Mark) => boolean): void {
    this.write(this.read().filter((mark) => !unwanted(mark)));
  }

  /** Variants of `model` that crashed. `alive` holds the locks of engines that still run. */
  crashed(model: string, alive: ReadonlySet<string>): string[] {
    const marks = this.read().filter((mark) => mark.model === model);
    const dead = marks.filter(({ owner }) => owner === null || !alive.has(owner));
    return [...new Set(dead.map((mark) => mark.variant))];
  }

  private read(): Mark[] {
    try {
      const marks: unknown = JSON.parse(this.storage?.getItem(STORE) ?? "[]");
      return Array.isArray(marks) ? marks.filter((mark) => this.counts(mark)) : [];
    } catch {
      return [];
    }
  }

  private counts(mark: unknown): mark is Mark {
    const { model, variant, owner, at, browser } = (mark ?? {}) as Partial<Mark>;
    return (
      typeof model === "string" &&
      typeof variant === "string" &&
      (owner === null || typeof owner === "string") &&
      typeof at === "number" &&
      at > this.now() - KEPT_MS &&
      browser === this.browser
    );
  }

  private write(marks: Mark[]): void {
    try {
      this.storage?.setItem(STORE, JSON.stringify(marks));
    } catch {
      // Full or blocked: the next visit then knows nothing of a crash.
    }
  }
}

/** Locks that engines hold now, in all tabs of this origin. */
export async function aliveLocks(): Promise<Set<string>> {
  const held = (await navigator.locks?.query().catch(() => null))?.held ?? [];
  return new Set(held.flatMap(({ name }) => (name === undefined ? [] : [name])));
}

export type LoadOutcome = "works" | "failed" | "crashed";

/** The page's events that a visitor's leaving shows in. */
export type Leaving = Pick<EventTarget, "addEventListener" | "removeEventListener"> & {
  readonly hidden: boolean;
};

/** One engine's mark. While the page is hidden or left there is none: being closed is no crash. */
export class CrashMarker {
  private variant: string | null = null;

  constructor(
    private readonly marks: CrashMarks,
    private readonly model: string,
    private readonly owner: string,
    private readonly page: Leaving = pageEvents(),
  ) {}

  /** The load of `variant` begins. */
  begin(variant: string): void {
    this.end("failed");
    this.variant = variant;
    for (const type of EVENTS) this.page.addEventListener(type, this.onPage);
    if (!this.page.hidden) this.marks.add(this.model, variant, this.owner);
  }

  /** The load under way, if any, is over. */
  end(outcome: LoadOutcome): void {
    const { variant } = this;
    if (variant === null) return;
    this.variant = null;
    for (const type of EVENTS) this.page.removeEventListener(type, this.onPage);
    this.takeAway();
    if (outcome === "crashed") this.crashed(variant);
    if (outcome === "works") {
      this.marks.remove((mark) => mark.model === this.model && mark.variant === variant);
    }
  }

  /** It crashed, and this page lived to see it. */
  crashed(variant: string): void {
    this.marks.add(this.model, variant, null);
  }

  private readonly onPage = ({ type }: Event): void => {
    this.takeAway();
    if (this.variant === null || this.page.hidden || type === "pagehide") return;
    this.marks.add(this.model, this.variant, this.owner);
  };

  private takeAway(): void {
    this.marks.remove((mark) => mark.owner === this.owner);
  }
}

const EVENTS = ["visibilitychange", "pagehide", "pageshow"];

/** `pagehide` and `pageshow` are the window's, `visibilitychange` bubbles to it. */
function pageEvents(): Leaving {
  return {
    get hidden() {
      return globalThis.document?.hidden ?? false;
    },
    addEventListener: globalThis.addEventListener.bind(globalThis),
    removeEventListener: globalThis.removeEventListener.bind(globalThis),
  };
}
