/** The worker that measures how fast a device gets through weights; a file of its own, pace.js. */

import { findAdapter } from "../device/check";
import type { PaceReply, PaceRequest } from "./protocol";
import { openReader, type Reader } from "./wasm";
import { measureWebGpu } from "./webgpu";

let reader: Reader | null = null;

async function answer(request: PaceRequest): Promise<PaceReply> {
  switch (request.type) {
    case "open":
      reader = await openReader(request.bytes, request.relaxed);
      return { type: "opened" };
    case "read":
      return { type: "pace", pace: { bytesPerSecond: reader?.run(request.ms) ?? 0, ...WITHOUT } };
    case "webgpu": {
      const adapter = await findAdapter(navigator.gpu);
      if (!adapter) return { type: "failed", why: "no graphics adapter" };
      return { type: "pace", pace: await measureWebGpu(adapter, request.ms) };
    }
  }
}

const WITHOUT = { secondsPerDispatch: 0 };

self.onmessage = ({ data }: MessageEvent<PaceRequest>) => {
  answer(data)
    .catch((error): PaceReply => ({ type: "failed", why: String(error) }))
    .then((reply) => self.postMessage(reply));
};
