/** A loaded model in the worker: what answering and embedding have in common. */

import type { Backend } from "../backends/backend";
import type { Manifest } from "../plan";
import { embeddingInfo } from "./about";
import type { EngineInfo, Remark } from "./api";
import { Recovery } from "./recover";
import { addRemark } from "./remarks";
import type { Footing, Ladder } from "./rungs";
import type { TextCodec } from "./tokenizer";

export interface Loaded {
  manifest: Manifest;
  context: number;
  /** What a person should know; recoveries add to it. */
  notes: string[];
  remarks: Remark[];
  codec: TextCodec;
  ladder: Ladder;
  footing: Footing;
  /** Called when the model runs in another way than before. */
  change(info: EngineInfo): void;
}

/** `W` is what works on a backend. */
export abstract class Running<W> {
  private readonly recovery: Recovery<W>;
  /** One request runs at a time; later ones wait their turn here. */
  private turn: Promise<unknown> = Promise.resolve();

  protected constructor(
    protected readonly loaded: Loaded,
    make: (backend: Backend) => W,
  ) {
    const { ladder, footing } = loaded;
    this.recovery = new Recovery(ladder, footing, make, (remark) => {
      addRemark(loaded, remark);
      loaded.change(this.info);
    });
  }

  get info(): EngineInfo {
    return describe(this.loaded, this.recovery.footing);
  }

  tokenize(text: string): number[] {
    return this.loaded.codec.encode(text);
  }

  dispose(): void {
    this.recovery.dispose();
  }

  /** Runs `work` after all that came before it; what it throws is as `Recovery.run` says. */
  protected inTurn<T>(signal: AbortSignal, work: (worker: W) => Promise<T>): Promise<T> {
    const result = this.turn.then(() => this.recovery.run(signal, work));
    this.turn = result.catch(() => {});
    return result;
  }
}

/** How a model runs. */
function describe(
  { manifest, context, notes, remarks, ladder }: Loaded,
  { variant, kind, threads, tuned }: Footing,
): EngineInfo {
  return {
    model: manifest.name,
    variant,
    backend: kind,
    threads,
    tuned,
    context,
    vocabulary: manifest.vocabulary,
    embedding: manifest.embedding && embeddingInfo(manifest.embedding, context),
    notes,
    remarks,
    report: ladder.report,
  };
}
