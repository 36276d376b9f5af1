/** A manifest over the network, with the patience of a download. */

import { isExpected, manifestLabel } from "./bundle";
import { FileDownload, type Line, persevere } from "./download";
import type { Bytes } from "./files";

export function downloadManifest(
  line: Line,
  integrity: string | null,
  signal: AbortSignal,
): Promise<Bytes> {
  const download = new FileDownload(line, {
    path: "", // the mirrors' addresses are those of their manifests
    bytes: null,
    label: manifestLabel(line.mirrors.first),
    // Its name does not change with its content, so the browser has to ask the server.
    cache: "no-cache",
    isRight: (bytes) => isExpected(bytes, integrity),
  });
  return persevere(line, signal, () => download.run(signal));
}
