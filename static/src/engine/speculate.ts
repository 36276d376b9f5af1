/** Whether guessing pays: the GPU's look-up, repeated here on the tokens that arrive. */

const KEPT = 0.85; // how much a step counts beside the next one
const PRIOR_STEPS = 5; // single tokens that guessing is taken to have given so far
const PRIOR_COST = 1.5; // of a verify step in decode steps, until it is measured
const MOST_RISE = 2; // of cost by one step: a hiccup of the machine says little about the step
const LEAST_COST = 1.05;
const FORGOTTEN = 0.002; // of a measured cost above the prior, with every decode step
const MARGIN = 1.1; // of gain over cost before guessing begins: switching back and forth is no use

/**
 * What a verify step would guess after `sequence`, as compiler/kernels/gpu/verify.py does: what
 * followed the latest earlier occurrence of its last three tokens, or else of its last two.
 */
export function lookUp(sequence: readonly number[], count: number): number[] {
  const last = sequence.length - 1;
  const agree = (end: number, back: number): boolean =>
    end >= back && sequence[end - back] === sequence[last - back];
  let found = -1;
  for (let end = last - 1; end > 0; end--) {
    if (!agree(end, 0) || !agree(end, 1)) continue;
    if (found < 0) found = end;
    if (!agree(end, 2)) continue;
    found = end;
    break;
  }
  if (found < 0) return [];
  const period = last - found;
  return Array.from({ length: count }, (_, index) => sequence[found + 1 + (index % period)] ?? 0);
}

export class Speculator {
  private on = false;
  /** What is left of the guesses of the verify step that is played through. */
  private guesses: number[] = [];
  private given = 0; // tokens of that step so far
  /** Steps played through and their tokens, old ones fading. */
  private steps = PRIOR_STEPS;
  private tokens = PRIOR_STEPS;
  /** Of a verify step, in decode steps. */
  private cost = PRIOR_COST;
  private decodeMs: number | null = null;
  private last: number | null = null;

  constructor(
    private readonly rows: number,
    private readonly now: () => number,
  ) {}

  /** An answer begins after `sequence`: what paid in another says little about it. */
  begin(sequence: readonly number[]): void {
    this.on = false;
    this.steps = this.tokens = PRIOR_STEPS;
    this.last = null;
    this.play(sequence);
  }

  /** Whether the next step should be a verify step. */
  pays(): boolean {
    const gain = this.tokens / this.steps;
    this.on = gain > this.cost * (this.on ? 1 : MARGIN);
    return this.on;
  }

  /** A step's results came back; the time since the one before is its own. */
  arrived(verified: boolean): void {
    const time = this.now();
    const taken = this.last === null ? null : time - this.last;
    this.last = time;
    if (taken === null) return;
    if (!verified) {
      // One slow step (a laptop that slept) must not make every later verify step look cheap.
      const usual = this.decodeMs ?? taken;
      this.decodeMs = faded(usual, Math.min(taken, MOST_RISE * usual));
      this.cost -= Math.max(0, this.cost - PRIOR_COST) * FORGOTTEN;
    } else if (this.decodeMs !== null && this.decodeMs > 0) {
      const cost = Math.min(taken / this.decodeMs, MOST_RISE * this.cost);
      // It never takes less than a decode step; were that believed, none would be taken again.
      this.cost = Math.max(LEAST_COST, faded(this.cost, cost));
    }
  }

  /** The last of `sequence` is new. */
  push(sequence: readonly number[]): void {
    this.given += 1;
    if (this.guesses.shift() === sequence.at(-1)) return;
    this.steps = this.steps * KEPT + 1;
    this.tokens = this.tokens * KEPT + this.given;
    this.play(sequence);
  }

  /** A verify step begins after `sequence`. */
  private play(sequence: readonly number[]): void {
    this.guesses = lookUp(sequence, this.rows - 1);
    this.given = 0;
  }
}

function faded(average: number, value: number): number {
  return average * KEPT + value * (1 - KEPT);
}
