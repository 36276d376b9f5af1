/** One of the threads of wasm-sync.test.ts, run by node's worker_threads. */

import { parentPort, workerData } from "node:worker_threads";
import { ThreadSync } from "../../../../static/src/backends/wasm-sync";
import { walk } from "./walk";

export interface SyncData {
  sync: SharedArrayBuffer;
  /** One word for each chunk of each stage: how often it was done. */
  counts: SharedArrayBuffer;
  /** One word: workers that are there. */
  present: SharedArrayBuffer;
}

const { sync: buffer, counts, present } = workerData as SyncData;
const sync = new ThreadSync(buffer);

Atomics.add(new Int32Array(present), 0, 1);
let result = "";
try {
  for (;;) {
    const command = sync.next();
    if (command.kind === "run") walk(sync, new Int32Array(counts), command.first, command.end);
    else sync.fail(`the pointers are ${command.pointers}`);
  }
} catch (error) {
  result = (error as Error).message;
}
parentPort?.postMessage(result);
