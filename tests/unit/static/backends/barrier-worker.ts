/** One of the threads of wasm-sync.test.ts, run by node's worker_threads. */

import { parentPort, workerData } from "node:worker_threads";
import { ThreadSync } from "../../../../static/src/backends/wasm-sync";

export interface BarrierData {
  sync: SharedArrayBuffer;
  /** One word each: the round a thread is in. */
  rounds: SharedArrayBuffer;
  thread: number;
  threads: number;
}

const { sync: buffer, rounds, thread, threads } = workerData as BarrierData;
const sync = new ThreadSync(buffer, threads);
const words = new Int32Array(rounds);

/** Rounds `first` .. `end` - 1: after each barrier everybody must have been in the round. */
function walk(first: number, end: number): void {
  for (let round = first; round < end; round++) {
    words[thread] = round; // a plain write: the barrier is what makes it visible
    sync.barrier();
    for (let other = 0; other < threads; other++) {
      if ((words[other] ?? 0) < round) throw new Error(`${other} is not in round ${round}`);
    }
    sync.barrier();
  }
}

let result = "";
try {
  for (;;) {
    const command = sync.next();
    if (command.kind === "run") walk(command.first, command.end);
    else sync.fail(`the pointers are ${command.pointers}`);
  }
} catch (error) {
  result = (error as Error).message;
}
parentPort?.postMessage(result);
