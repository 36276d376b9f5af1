/** The addresses that hold the same bundle, and which of them to ask next. */

import { type Remark, WebkilnError } from "../engine/api";
import { backoff, TRIES } from "./retry";
import type { Failure } from "./transfer";

const WRONG_TWICE = 2;
const ONLINE = "Check the connection and try again; what has arrived is kept.";

/** What errors call a file, and what they say to do about it. */
export interface Label {
  name: string;
  /** Its name in the bundle. */
  file: string;
  /** Its content is not what it has to be. */
  wrong: string;
  ifWrong: string;
  ifMissing: string;
}

export interface Mirror {
  /** Address of the manifest, which the other files lie beside. */
  base: string;
  /** Failures so far: a mirror that has fewer goes first. */
  faults: number;
  served: number;
  /** What went wrong first. */
  problem: string | null;
}

export class Mirrors {
  private readonly all: Mirror[];

  /** In the order of preference. */
  constructor(bases: string[]) {
    const unique = [...new Set(bases)];
    this.all = unique.map((base) => ({ base, faults: 0, served: 0, problem: null }));
  }

  /** The preferred one's address. */
  get first(): string {
    return (this.all[0] as Mirror).base; // whoever makes a list knows at least one
  }

  /** For one file. */
  attempts(label: Label, firstMs?: number): Attempts {
    return new Attempts(this.all, label, firstMs);
  }

  /** Who served what, where it was not the first alone. */
  remarks(): Remark[] {
    const [first, ...others] = this.all;
    const total = this.all.reduce((sum, { served }) => sum + served, 0);
    return others
      .filter(({ served }) => served > 0)
      .map(({ base, served }) => {
        const because = first?.problem ? ` (${place(first.base)}: ${first.problem})` : "";
        const mirror = place(base);
        const note = `${served} of ${total} files came from the mirror ${mirror}${because}.`;
        return { code: "mirror", note, served, total, mirror };
      });
  }
}

interface Candidate {
  mirror: Mirror;
  tries: number;
  wrong: number;
  /** It does not have the file. */
  out: boolean;
  waitMs: number;
  problem: Failure | null;
}

export interface Attempt {
  mirror: Mirror;
  /** Before it. */
  delayMs: number;
  /** Around every cache on the way: it may be what damaged the last answer. */
  anew: boolean;
}

/** The attempts to get one file. */
export class Attempts {
  private readonly candidates: Candidate[];

  constructor(
    mirrors: Mirror[],
    private readonly label: Label,
    private readonly firstMs?: number,
  ) {
    const fresh = { tries: 0, wrong: 0, out: false, waitMs: 0, problem: null };
    this.candidates = mirrors.map((mirror) => ({ mirror, ...fresh }));
  }

  /** The address to ask now: none a second time before all were asked once. */
  next(): Attempt {
    const left = this.candidates.filter(({ out }) => !out);
    const order = left.sort((a, b) => asked(a) - asked(b) || a.mirror.faults - b.mirror.faults);
    const [chosen] = order;
    if (chosen === undefined) throw this.end();
    const { mirror, tries, wrong, waitMs } = chosen;
    const delayMs = tries === 0 ? 0 : Math.max(backoff(tries, this.firstMs), waitMs);
    return { mirror, delayMs, anew: wrong > 0 };
  }

  served({ mirror }: Attempt): void {
    mirror.served += 1;
  }

  /** `progressed`: it brought new bytes all the same, and deserves more patience. */
  failed({ mirror }: Attempt, failure: Failure, progressed: boolean): void {
    const candidate = this.candidates.find((each) => each.mirror === mirror) as Candidate;
    mirror.faults += 1;
    mirror.problem ??= failure.message;
    candidate.waitMs = failure.waitMs;
    // That it was the wrong file says more than a failure afterwards.
    if (!isWrong(candidate.problem) || isWrong(failure)) candidate.problem = failure;
    if (failure.kind === "content") candidate.wrong += 1;
    else candidate.tries = progressed ? 1 : candidate.tries + 1;
    const { tries, wrong } = candidate;
    candidate.out = failure.kind === "missing" || wrong === WRONG_TWICE || tries === TRIES;
  }

  private end(): WebkilnError {
    const problems = this.candidates.map(({ problem }) => problem as Failure); // each was asked
    const [first, ...others] = problems;
    if (first && others.length === 0) return this.alone(first);
    const told = this.candidates.map(({ mirror, problem }) => {
      return `${place(mirror.base)}: ${problem?.message}`;
    });
    const code = problems.every(isWrong) ? "integrity" : "network";
    const { name, file } = this.label;
    const none = `${name} could not be had from any of ${told.length} addresses`;
    return new WebkilnError(code, `${none} (${told.join("; ")})`, ONLINE, { file });
  }

  private alone(failure: Failure): WebkilnError {
    const { name, file, wrong, ifWrong, ifMissing } = this.label;
    const { kind, message, status, origin } = failure;
    const values = {
      file,
      ...(status === undefined ? {} : { status }),
      ...(origin === undefined ? {} : { origin }),
    };
    switch (kind) {
      case "content":
        return new WebkilnError("integrity", wrong, ifWrong, values);
      case "short":
        return new WebkilnError("integrity", `${name} is incomplete: ${message}`, ifWrong, values);
      case "missing":
        return new WebkilnError("network", `${name}: ${message}`, ifMissing, values);
      case "again": {
        const tried = `${name} could not be fetched in ${TRIES} tries: ${message}`;
        return new WebkilnError("network", tried, ONLINE, values);
      }
    }
  }
}

function asked({ tries, wrong }: Candidate): number {
  return tries + wrong;
}

function isWrong(failure: Failure | null): boolean {
  return failure?.kind === "content" || failure?.kind === "short";
}

/** An address as people know it. */
function place(base: string): string {
  const { host, pathname } = new URL(base);
  return host + pathname.replace(/\/[^/]*$/, "");
}
