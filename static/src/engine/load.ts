/** From a manifest's address to a Session, the whole way on one screen. */

import type { Crew } from "../backends/wasm-helpers";
import { checkDevice, type Wishes } from "../device/check";
import { isWished, requireChoice } from "../device/choose";
import { findManifest } from "../load/bundle";
import { type Kept, openKept } from "../load/cache";
import type { Line } from "../load/download";
import { FileStore } from "../load/files";
import type { Gate } from "../load/gate";
import { badBundle, variantFor } from "../load/manifest";
import { downloadManifest } from "../load/manifest-download";
import { Mirrors } from "../load/mirrors";
import { filesOf, keptOf, sizeOf, tokenizerFiles, weightFiles } from "../load/needs";
import { ProgressMeter } from "../load/progress";
import type { Manifest } from "../plan";
import type { EngineInfo, Progress, Remark } from "./api";
import { chooseContext } from "./context";
import { EmbedSession } from "./embed-session";
import { formatBytes, requireSecureContext } from "./errors";
import { expectedVendor, type Ground, openRung } from "./open";
import type { LoadOptions } from "./protocol";
import { addRemark } from "./remarks";
import { type Footing, Ladder, type Lookout } from "./rungs";
import type { Loaded } from "./running";
import { Session } from "./session";
import { together } from "./together";
import { TextCodec } from "./tokenizer";

/** What the worker is told while a model loads, and later when it has to be loaded again. */
export interface LoadEvents extends Lookout {
  progress(progress: Progress): void;
  change(info: EngineInfo): void;
  /** Whether the next visit will find the whole model in this browser. */
  kept(whole: boolean): void;
  /** Who starts helper threads. */
  crew: Crew;
  gate: Gate;
}

export async function loadSession(
  options: LoadOptions,
  events: LoadEvents,
  signal: AbortSignal,
): Promise<Session | EmbedSession> {
  requireSecureContext();
  let loading = true;
  const meter = new ProgressMeter((progress) => {
    if (loading) events.progress(progress);
  });
  const kept = await openKept();
  const mirrors = new Mirrors(options.manifests);
  const line = { mirrors, meter, gate: events.gate };
  const manifest = await seekManifest(options, line, kept, signal);
  const { backend, variant, crashed, threads, tuned } = options;
  const context = chooseContext(manifest, options.context);
  const wishes: Wishes = { backend, variant, context, crashed };
  const { report, order } = await checkDevice(manifest, wishes);
  requireChoice(report, wishes);
  const notes = [...manifest.notes];
  const remarks: Remark[] = [];
  const remark = (said: Remark): void => addRemark({ notes, remarks }, said);
  const { files } = manifest;
  const store = new FileStore({ ...line, files, cache: kept?.files ?? null, remark });
  const before = await store.sizes();
  if (options.expected) noteLosses(manifest, before, remark);
  const { crew } = events;
  const shared = { manifest, report, store, meter, context, notes, remarks };
  const ground: Ground = { ...shared, threads, tuned, crew };
  const asked = report.rungs.filter((rung) => isWished(rung, wishes));
  const [codec, ladder, footing] = await together(signal, (signal) => {
    const codec = loadCodec(manifest, store, signal);
    const ladder = new Ladder(report, asked, order, rungOpener(ground, codec, before), events);
    return [codec, Promise.resolve(ladder), ladder.climb(signal)];
  });
  meter.setPhase("ready");
  loading = false;
  for (const said of mirrors.remarks()) remark(said);
  events.kept(store.keeps);
  const { change } = events;
  const loaded: Loaded = { manifest, context, notes, remarks, codec, ladder, footing, change };
  return sessionOf(loaded);
}

function sessionOf(loaded: Loaded): Session | EmbedSession {
  const { embedding } = loaded.manifest;
  return embedding === null ? new Session(loaded) : new EmbedSession(loaded, embedding);
}

/** The manifest this browser keeps, or the site's; `integrity`, where given, holds for both. */
async function seekManifest(
  { integrity }: LoadOptions,
  line: Line,
  kept: Kept | null,
  signal: AbortSignal,
): Promise<Manifest> {
  line.meter.setPhase("manifest");
  const fetch = () => downloadManifest(line, integrity, signal);
  const { manifest } = await findManifest({ integrity, kept: kept?.manifests ?? null, fetch });
  line.meter.restart(0, 0, 0); // what the manifest took does not count
  return manifest;
}

/** Opens rungs; the first one's files arrive side by side with the tokenizer's. */
function rungOpener(ground: Ground, codec: Promise<TextCodec>, before: Map<string, number>) {
  let first = true;
  return async (name: string, signal: AbortSignal): Promise<Footing> => {
    const { manifest, meter } = ground;
    if (!first) await codec;
    const variant = variantFor(manifest, name, expectedVendor(ground));
    const needed = filesOf(manifest, variant);
    const total = sizeOf(manifest, needed);
    const kept = keptOf(manifest, needed, first ? before : await ground.store.sizes());
    // The tokenizer is on its way already, and is not fetched again for another rung.
    if (first) meter.expect(total, kept);
    else meter.restart(total, kept, sizeOf(manifest, tokenizerFiles(manifest)));
    meter.setPhase("download");
    first = false;
    return openRung(ground, name, signal);
  };
}

/** A browser short of space clears what it kept. The weights alone count: variants share them. */
function noteLosses(
  manifest: Manifest,
  kept: Map<string, number>,
  remark: (remark: Remark) => void,
): void {
  const weights = weightFiles(manifest);
  const lost = sizeOf(manifest, weights) - keptOf(manifest, weights, kept);
  if (lost === 0) return;
  const note =
    `${formatBytes(lost)} of this model that the browser had kept were gone, and were downloaded ` +
    "again. Browsers clear what they keep when the disk runs full, unless they promised not to.";
  remark({ code: "evicted", note, bytes: lost });
}

async function loadCodec(
  manifest: Manifest,
  store: FileStore,
  signal: AbortSignal,
): Promise<TextCodec> {
  const { model: files, config: file } = manifest.tokenizer;
  const parts = await Promise.all(files.map((name) => store.get(name, signal)));
  const config = await store.get(file, signal);
  const model = await new Blob(parts).text();
  return new TextCodec(
    parseJson(model, "tokenizer.json"),
    parseJson(new TextDecoder().decode(config), file),
  );
}

function parseJson(text: string, file: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw badBundle(file, "this is not JSON");
  }
}
