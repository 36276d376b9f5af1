/** WebGPU in Node. */

import { readFile } from "node:fs/promises";
import { create, globals } from "webgpu";

/** Chrome's Dawn as it is, but for timestamps, which it would round to 0.1 ms. */
export function openDawn(): GPU {
  Object.assign(globalThis, globals);
  return create(["disable-dawn-features=timestamp_quantization"]);
}

export async function dawnVersion(): Promise<string> {
  const manifest = new URL("package.json", import.meta.resolve("webgpu"));
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  return version;
}
