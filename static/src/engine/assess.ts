/** Verdicts on models, from their manifests alone: before anything large is downloaded. */

import { surroundings } from "../device/check";
import { judgeFit } from "../device/fit";
import { History, type Way } from "../device/history";
import { neededBytes } from "../device/judge";
import { estimate } from "../device/speed";
import { storageUse, storedModel } from "../load/library";
import type { Variant } from "../plan";
import { about } from "./about";
import type { CapabilityReport } from "./api";
import type { Assessment, AssessOptions, ModelQuestion, Pace, Speed } from "./assessment";
import { type Looked, look, modelKey } from "./engine";
import { aborted, asWebkilnError } from "./errors";
import { Paces, type Subject, subjectOf } from "./pace";

/**
 * What to expect of each model on this device, in the order of `models`. At most their manifests
 * are fetched; a model whose manifest cannot be had is `unknown` and says why.
 */
export async function assess(
  models: ModelQuestion[],
  { measure = true, signal }: AssessOptions = {},
): Promise<Assessment[]> {
  const looked = await Promise.all(models.map(lookOrTell));
  const judge = new Judge(new Pacer(measure, signal), (await storageUse()).free);
  const assessments: Assessment[] = [];
  for (const [index, question] of models.entries()) {
    if (signal?.aborted) throw aborted();
    const found = looked[index] as Looked | Assessment;
    assessments.push("fit" in found ? found : await judge.assess(question, found));
  }
  return assessments;
}

async function lookOrTell(question: ModelQuestion): Promise<Looked | Assessment> {
  try {
    return await look(question);
  } catch (error) {
    const { code } = asWebkilnError(error);
    return { ...nothing(question), fit: "unknown", causes: [{ code: "unread", error: code }] };
  }
}

function nothing({ model }: ModelQuestion): Omit<Assessment, "fit" | "causes"> {
  const unknown = { variant: null, backend: null, memory: null, speed: null };
  return { model, ...unknown, about: null, stored: null, report: null };
}

/** What models have in common: the disk, the device's pace, what was before. */
class Judge {
  private readonly history = new History();
  private readonly deviceMemory = surroundings().deviceMemory;

  constructor(
    private readonly pacer: Pacer,
    private readonly free: number | null,
  ) {}

  async assess(question: ModelQuestion, looked: Looked): Promise<Assessment> {
    const { manifest, report, context } = looked;
    const name = report.chosen;
    const variant = name === null ? undefined : manifest.variants[name];
    const stored = await storedModel(looked, name ?? undefined);
    const way = { model: modelKey(question), variant: name ?? "" };
    const needed = variant ? neededBytes(variant.memory, context) : 0;
    const speed = variant ? await this.speed(way, variant, looked.report, question.threads) : null;
    const { fit, causes } = judgeFit({
      ...{ report, needed, speed, context, free: this.free, missing: stored.missing },
      deviceMemory: this.deviceMemory,
      ran: this.history.ran(way, context),
      ranOut: this.history.ranOut(way),
    });
    return {
      ...{ model: question.model, fit, causes, speed, stored, report, variant: name },
      backend: variant?.backend ?? null,
      memory: variant ? needed : null,
      about: about(manifest),
    };
  }

  private async speed(
    way: Way,
    variant: Variant,
    report: CapabilityReport,
    threads?: number,
  ): Promise<Speed | null> {
    const known = this.history.speed(way);
    if (known !== null) return { tokensPerSecond: known, measured: true };
    if (variant.bytes_per_token === null) return null;
    const pace = await this.pacer.of(subjectOf(variant, report, threads));
    const tokensPerSecond = pace && estimate(variant, pace);
    return tokensPerSecond ? { tokensPerSecond, measured: false } : null;
  }
}

/** Measures each subject once, and only if it may. */
class Pacer {
  private readonly paces = new Paces();
  private readonly tried = new Map<string, Pace | null>();

  constructor(
    private readonly may: boolean,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async of(subject: Subject): Promise<Pace | null> {
    const known = this.paces.recall(subject);
    if (known || !this.may) return known;
    const key = JSON.stringify(subject);
    if (!this.tried.has(key)) {
      this.tried.set(key, await this.paces.measure(subject, this.signal));
    }
    return this.tried.get(key) ?? null;
  }
}
