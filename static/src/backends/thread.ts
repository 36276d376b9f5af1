/** Entry point of helper workers: one thread of the WebAssembly backend. */

import { toWire } from "../engine/errors";
import { type HelperReply, KernelThread, type ThreadStart } from "./wasm-thread";

function reply(message: HelperReply): void {
  self.postMessage(message);
}

self.addEventListener("message", ({ data }: MessageEvent<ThreadStart>) => void start(data));

async function start(data: ThreadStart): Promise<void> {
  let thread: KernelThread;
  try {
    thread = await KernelThread.open(data);
  } catch (error) {
    reply({ error: toWire(error) });
    return;
  }
  reply({ error: null });
  serve(thread);
}

/** From here on no message gets in: the engine's worker ends this one by terminating it. */
function serve(thread: KernelThread): void {
  try {
    for (;;) if (thread.sync !== null) thread.perform(thread.sync.next());
  } catch {
    // A fault, this thread's or another's: shared memory holds it, and thread 0 tells of it.
  }
}
