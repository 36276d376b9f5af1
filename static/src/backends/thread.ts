/** Entry point of helper workers: one thread of the WebAssembly backend. */

import { toWire } from "../engine/errors";
import { requestsSoFar } from "../engine/traffic";
import { type HelperReply, KernelThread, type ThreadStart } from "./wasm-thread";

interface Orders {
  start: ThreadStart;
  /** Leads to the engine's worker. */
  port: MessagePort;
}

self.addEventListener("message", ({ data }: MessageEvent<Orders>) => void begin(data));

async function begin({ start, port }: Orders): Promise<void> {
  const reply = (message: HelperReply): void => port.postMessage(message);
  let thread: KernelThread;
  try {
    thread = await KernelThread.open(start);
  } catch (error) {
    reply({ error: toWire(error) });
    return;
  }
  reply({ error: null });
  // From here on this thread requests nothing, and could not tell of it.
  self.postMessage(requestsSoFar("thread"));
  serve(thread);
}

/** From here on no message gets in: whoever started this worker ends it by terminating it. */
function serve(thread: KernelThread): void {
  try {
    for (;;) if (thread.sync !== null) thread.perform(thread.sync.next());
  } catch {
    // A fault, this thread's or another's: shared memory holds it, and thread 0 tells of it.
  }
}
