/** The token loop: prefill what the KV cache lacks, then decode with steps queued ahead. */

import type { Backend, Chunk } from "../backends/backend";
import { PROMPT_BIT } from "../plan";
import type { FinishReason, Speculation } from "./api";
import { DepthTuner } from "./depth";
import { GREEDY, type SamplingSettings } from "./requests";
import { Speculator } from "./speculate";
import { controlState, positionState, prefillState, samplingState } from "./state";

export interface Generation {
  prompt: number[];
  /** New tokens at most; the context may allow fewer. */
  maxTokens: number;
  sampling: SamplingSettings;
  speculation: Speculation;
  /** Ids that end the answer; they are not given to `onToken`. */
  stopTokens: number[];
  /** Called with each new token; false ends the answer. */
  onToken(id: number): boolean;
  signal: AbortSignal;
}

export interface GenerationResult {
  tokens: number[];
  finishReason: FinishReason;
  cachedTokens: number;
  /** Tokens that a step gave beyond its first. */
  guessedTokens: number;
  /** Until the first new token arrived, and from then on. */
  prefillSeconds: number;
  decodeSeconds: number;
}

/** Tokens of a prompt that run while more are queued, where a chunk is less. */
const AHEAD = 16;

/** Stands for tokens that a recurrent model has taken in and nobody asked for. */
const UNKNOWN = -1;

/** An answer as far as it has come. It outlives the backend it was begun on. */
export class Draft {
  readonly tokens: number[] = [];
  /** Of the prompt, when the answer was begun; null before. */
  cachedTokens: number | null = null;
  guessedTokens = 0;
  private readonly started: number;
  private firstToken: number | null = null;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.started = now();
  }

  arrived(): void {
    this.firstToken ??= this.now();
  }

  result(finishReason: FinishReason): GenerationResult {
    const end = this.now();
    const firstToken = this.firstToken ?? end;
    return {
      tokens: this.tokens,
      finishReason,
      cachedTokens: this.cachedTokens ?? 0,
      guessedTokens: this.guessedTokens,
      prefillSeconds: (firstToken - this.started) / 1000,
      decodeSeconds: (end - firstToken) / 1000,
    };
  }
}

/** Length of the longest start the two lists share. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  for (let index = 0; index < end; index++) if (a[index] !== b[index]) return index;
  return end;
}

export class Generator {
  /** Tokens whose keys and values are in the cache, by position. */
  private cached: number[] = [];
  /** Null where the backend has nothing to verify guesses with. */
  private readonly speculator: Speculator | null;
  private readonly chunk: Chunk;

  constructor(
    private readonly backend: Backend,
    private readonly vocabulary: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    if (backend.prefill === null) throw new Error("the plan has no prefill_<N>");
    this.chunk = backend.prefill;
    this.speculator = backend.verify && new Speculator(backend.verify.rows, now);
  }

  /** Answers; a draft that holds tokens already is replayed and continued. */
  async run(generation: Generation, draft = new Draft(this.now)): Promise<GenerationResult> {
    const { prompt, signal } = generation;
    if (signal.aborted) return draft.result("abort");
    const sequence = [...prompt, ...draft.tokens];
    const reused = this.start(generation, sequence);
    draft.cachedTokens ??= reused;
    await this.prefill(sequence, sequence.length - 1, signal);
    if (signal.aborted) return draft.result("abort");
    return draft.result(await this.decode(generation, sequence, draft));
  }

  /** Logits after each of `ids[first..]`, every token forced. */
  async evaluate(ids: number[], first: number): Promise<Float32Array<ArrayBuffer>> {
    const never = new AbortController().signal;
    const rows = new Float32Array((ids.length - first) * this.vocabulary);
    this.begin(ids, first, GREEDY, []);
    await this.prefill(ids, first, never);
    for (let position = first; position < ids.length; position++) {
      // The step before has sampled over the forced token.
      this.backend.write("tokens", position * 4, Int32Array.of(ids[position] ?? 0));
      this.backend.write("control", ...positionState(position));
      await this.backend.step("decode");
      const logits = await this.backend.read("decode", "logits");
      rows.set(logits.subarray(0, this.vocabulary), (position - first) * this.vocabulary);
      this.cached.push(ids[position] ?? 0);
    }
    return rows;
  }

  private start(generation: Generation, sequence: number[]): number {
    const { prompt, sampling, stopTokens } = generation;
    // The last token is consumed by a decode step, cached or not: its logits are wanted.
    const reused = this.begin(sequence, sequence.length - 1, sampling, stopTokens);
    const { repetition, presence, frequency } = sampling;
    if (repetition !== 1 || presence !== 0 || frequency !== 0) {
      // Written whole: the kernel has counted earlier answers' tokens here.
      const counts = new Int32Array(this.vocabulary);
      for (const id of prompt) counts[id] = PROMPT_BIT;
      for (const id of sequence.slice(prompt.length)) counts[id] = (counts[id] ?? 0) + 1;
      this.backend.write("counts", 0, counts);
    }
    return reused;
  }

  /** Writes the state a sequence starts from; how many of its first `end` tokens are cached. */
  private begin(
    ids: number[],
    end: number,
    sampling: SamplingSettings,
    stopTokens: number[],
  ): number {
    const { backend } = this;
    const shared = commonPrefix(ids.slice(0, end), this.cached);
    // What a recurrent model has taken in cannot be taken back: it goes on, or begins anew.
    const reused = backend.recurrent && shared < this.cached.length ? 0 : shared;
    this.cached = ids.slice(0, reused);
    backend.write("tokens", reused * 4, Int32Array.from(ids.slice(reused)));
    backend.write("sampling", 0, samplingState(sampling));
    backend.write("control", 0, controlState(reused, backend.context, sampling, stopTokens));
    return reused;
  }

  /** Appends tokens up to position `end` to the KV cache, chunk by chunk. */
  private async prefill(ids: number[], end: number, signal: AbortSignal): Promise<void> {
    const { name, rows } = this.chunk;
    const ahead = Math.max(1, Math.floor(AHEAD / rows));
    const running: Promise<void>[] = [];
    while (this.cached.length < end && !signal.aborted) {
      const position = this.cached.length;
      const count = Math.min(rows, end - position);
      this.backend.write("control", ...prefillState(position, count));
      this.backend.run(name, count);
      this.cached.push(...ids.slice(position, position + count));
      // One chunk, or some tokens, run while the next is queued; an abort waits for them all.
      const done = this.backend.idle();
      // When the device is lost it fails before its turn comes to be awaited.
      done.catch(() => {});
      running.push(done);
      if (running.length > ahead) await running.shift();
    }
    await Promise.all(running);
    this.backend.write("control", ...positionState(end));
  }

  /** Adds to the draft, whose last token (or the prompt's) is the first that a step consumes. */
  private async decode(
    generation: Generation,
    sequence: number[],
    draft: Draft,
  ): Promise<FinishReason> {
    const { backend, speculator } = this;
    const { prompt, maxTokens, speculation } = generation;
    const limit = Math.min(maxTokens, backend.context + 1 - prompt.length);
    const depth = new DepthTuner(backend.maxDepth, this.now);
    const steps: Step[] = [];
    speculator?.begin(sequence);
    try {
      while (draft.tokens.length < limit) {
        // Each step gives at least one token, or the answer has ended.
        while (steps.length < depth.value && draft.tokens.length + steps.length < limit) {
          steps.push(this.queue(speculation));
        }
        const { ids, verifies } = steps.shift() as Step;
        const taken = await ids;
        draft.arrived();
        depth.arrived();
        speculator?.arrived(verifies);
        if (taken.length === 0) {
          await backend.idle(); // tells of a device that refused the step
          throw new Error("a step took no token before the answer's end");
        }
        const fitting = taken.slice(0, limit - draft.tokens.length);
        const end = this.take(fitting, generation, sequence, draft);
        if (end !== null) return end;
      }
      return "length";
    } finally {
      // Steps queued past the end cannot be called back; their results are dropped.
      const late = await Promise.allSettled(steps.map((step) => step.ids));
      const taken = late.some((step) => step.status === "fulfilled" && step.value.length > 0);
      if (taken && backend.recurrent) this.cached.push(UNKNOWN);
    }
  }

  private queue(speculation: Speculation): Step {
    const { backend, speculator } = this;
    const wanted = speculation === "on" || (speculation === "auto" && speculator?.pays());
    const verify = wanted ? backend.verify : null;
    const ids = backend.step(verify?.name ?? "decode");
    // When the device is lost all of them fail, most before their turn comes to be awaited.
    ids.catch(() => {});
    return { ids, verifies: verify !== null };
  }

  /** The tokens of one step become part of the answer, up to its end if that is among them. */
  private take(
    ids: number[],
    { stopTokens, onToken, signal }: Generation,
    sequence: number[],
    draft: Draft,
  ): FinishReason | null {
    for (const [index, id] of ids.entries()) {
      // The step that gave `id` has consumed the token before it.
      this.cached.push(sequence.at(-1) as number);
      if (signal.aborted) return "abort";
      if (stopTokens.includes(id)) return "stop";
      draft.tokens.push(id);
      sequence.push(id);
      if (index > 0) draft.guessedTokens += 1;
      this.speculator?.push(sequence);
      if (!onToken(id)) return "stop";
    }
    return null;
  }
}

/** A step under way. */
interface Step {
  ids: Promise<number[]>;
  verifies: boolean;
}
