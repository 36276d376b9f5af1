import type { ThreadSync } from "../../../../static/src/backends/wasm-sync";

export const CHUNKS = 5; // of every stage but each third, which has one

/** Stages `first` .. `end` - 1; a chunk counts itself and looks at the stage before its own. */
export function walk(sync: ThreadSync, counts: Int32Array, first: number, end: number): void {
  for (let stage = first; stage < end; stage++) {
    const chunks = stage % 3 === 0 ? 1 : CHUNKS;
    let done = 0;
    for (let chunk = sync.claim(chunks); chunk !== null; chunk = sync.claim(chunks)) {
      if (stage > 0) expectDone(counts, stage - 1);
      // Plain reads and writes: what makes them safe is that nobody else has the chunk.
      counts[stage * CHUNKS + chunk] = (counts[stage * CHUNKS + chunk] ?? 0) + 1;
      dawdle(stage + chunk);
      done += 1;
    }
    sync.finish(chunks, done);
    expectDone(counts, stage);
  }
}

function expectDone(counts: Int32Array, stage: number): void {
  const chunks = stage % 3 === 0 ? 1 : CHUNKS;
  const found = counts.subarray(stage * CHUNKS, stage * CHUNKS + chunks);
  if (found.some((count) => count !== 1)) throw new Error(`stage ${stage}: done ${found} times`);
}

/** Few chunks take long: others find their stage over, and sleep. */
function dawdle(seed: number): void {
  const turns = seed % 997 === 0 ? 300_000 : (seed * 7919) % 50;
  for (let turn = 0; turn < turns; turn++) Math.sqrt(turn);
}
