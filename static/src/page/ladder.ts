/** The capability ladder in plain words: the rung in use, and why it is not a better one. */

import type { Backend, CapabilityReport, EngineInfo, Rung } from "./engine";
import { sentence } from "./notice";
import { noted, plain } from "./plain";
import type { Way, Wish } from "./wish";
import { words } from "./words";

/** A button that goes with a line: run the model this way. */
export interface Offer {
  label: string;
  testid: string;
  way: Way;
}

export interface Line {
  text: string;
  offer?: Offer;
}

/** Something that happened, for the strip above the message box. */
export interface News {
  title: string;
  lines: string[];
}

/** Where it runs for a small button, in two parts, of which the first is enough on a small screen. */
export function placeLabel(backend: Backend): [string, string] {
  const { card, processor } = words.ladder;
  return backend === "webgpu" ? [card, "WebGPU"] : [processor, "WebAssembly"];
}

/** Why the model runs on the rung `variant`: who forced it, what the better ones lack, caveats. */
export function explain(report: CapabilityReport, variant: string, wish: Wish): Line[] {
  const rungs = asked(report, wish);
  const rung = rungs.find((each) => each.variant === variant);
  if (!rung) return [];
  const better = group(rungs.slice(0, rungs.indexOf(rung)), rung.backend);
  const alone = oneThread(report, rung);
  return [
    ...forced(wish),
    ...better.flatMap((missing) => passedOver(missing, rung, report)),
    ...plain(rung).map((text) => ({ text })),
    ...(alone === null ? [] : [{ text: alone }]),
  ];
}

/** Why no rung can be used that the wish allows. */
export function refusals(report: CapabilityReport, wish: Wish): Line[] {
  const groups = group(asked(report, wish));
  return groups.map((rungs) => ({ text: because(rungs), ...retry(rungs, report) }));
}

/** The rungs a wish leaves to choose from, best first. */
export function asked(report: CapabilityReport, wish: Way): Rung[] {
  return report.rungs.filter(
    ({ backend, variant }) =>
      (wish.backend === undefined || wish.backend === backend) &&
      (wish.variant === undefined || wish.variant === variant),
  );
}

/** Who forced the rung, in a sentence; nothing when nobody did. */
export function forced(wish: Wish): Line[] {
  const { addressAsks, addressOverrules, settingAsks, youAsked } = words.ladder;
  const what = wish.variant ? `variant=${wish.variant}` : `backend=${wish.backend}`;
  switch (wish.source) {
    case "address":
      return [{ text: (wish.overruled ? addressOverrules : addressAsks)(what) }];
    case "setting":
      return [{ text: settingAsks }];
    case "click":
      return [{ text: youAsked }];
    case null:
      return [];
  }
}

/** What changed when the engine went on in another way, or in the same way once more. */
export function change(before: EngineInfo, after: EngineInfo): News {
  const { place, startedAgain, nowRuns, allHere } = words.ladder;
  const where = place(after.backend, after.threads);
  const same = before.variant === after.variant && before.threads === after.threads;
  const notes = after.notes
    .filter((note) => !before.notes.includes(note))
    .map((note) => noted(note, after) ?? note);
  // A note tells the story; the reason that it left behind would tell it twice.
  const lines = notes.length > 0 ? notes : learned(before.report, after.report, before.variant);
  return {
    title: (same ? startedAgain : nowRuns)(where),
    lines: [...lines, allHere],
  };
}

/** What loading found out against the rung the check had promised; null when it was kept. */
export function stepDown(promised: CapabilityReport, info: EngineInfo): News | null {
  if (promised.chosen === null || promised.chosen === info.variant) return null;
  return {
    title: words.ladder.modelRuns(words.ladder.place(info.backend, info.threads)),
    lines: learned(promised, info.report, promised.chosen),
  };
}

/** Reasons against a rung that are new. */
function learned(before: CapabilityReport, after: CapabilityReport, variant: string): string[] {
  const known = asked(before, { variant }).flatMap(plain);
  const told = asked(after, { variant }).flatMap(plain);
  return told.filter((reason) => !known.includes(reason));
}

/** By backend; those of the backend `fine` by their reasons too, because each is a way of its own. */
function group(rungs: Rung[], fine?: Backend): Rung[][] {
  const groups = new Map<string, Rung[]>();
  for (const rung of rungs) {
    const reasons = rung.backend === fine ? plain(rung) : [];
    const key = JSON.stringify([rung.backend, reasons]);
    groups.set(key, [...(groups.get(key) ?? []), rung]);
  }
  return [...groups.values()];
}

function passedOver(rungs: Rung[], instead: Rung, report: CapabilityReport): Line[] {
  const reasons = because(rungs);
  // Said once for all threaded rungs, with what to do about it.
  const isolation = rungs.at(-1)?.causes.some(({ code }) => code === "not-isolated");
  const told = oneThread(report, instead) !== null && isolation;
  const [first] = rungs;
  if (!first || reasons === "" || told) return [];
  return [
    { text: `${missed(first, rungs, instead)} ${sentence(reasons)}`, ...retry(rungs, report) },
  ];
}

function missed({ backend }: Rung, rungs: Rung[], instead: Rung): string {
  const { fasterLeftOut, cardNotUsed, processorNotUsed } = words.ladder;
  if (backend === instead.backend) return fasterLeftOut(rungs.map(({ variant }) => variant));
  return backend === "webgpu" ? cardNotUsed : processorNotUsed;
}

/** What the least demanding rung lacks: with that, at least one would do. */
function because(rungs: Rung[]): string {
  return words.ladder.together([...new Set(rungs.slice(-1).flatMap(plain))]);
}

/** What crashed may be tried again, and what is only slow may be used, if the person says so. */
function retry(rungs: Rung[], report: CapabilityReport): { offer?: Offer } {
  const slow = (rung: Rung) => rung.usable && rung.backend === "webgpu" && report.adapter?.fallback;
  const rung = rungs.find(({ crashed }) => crashed) ?? rungs.find(slow);
  if (!rung) return {};
  const label = rung.crashed ? words.ladder.tryAgain : words.ladder.useAnyway;
  return { offer: { label, testid: "try-again", way: { variant: rung.variant } } };
}

function oneThread(report: CapabilityReport, rung: Rung): string | null {
  return rung.backend === "wasm" && !report.crossOriginIsolated ? words.ladder.oneThread : null;
}
