/** A manifest over the network for a page that only asks what a device can do: one try a mirror. */

import { WebkilnError } from "../engine/api";
import { isExpected, manifestLabel } from "./bundle";
import type { Bytes } from "./files";
import { otherOrigin, unanswered } from "./unread";

/** From the first of the addresses that has it; the first one's error when none does. */
export async function fetchManifest(addresses: string[], integrity: string | null): Promise<Bytes> {
  let first: unknown;
  for (const address of addresses) {
    try {
      return await fetchFrom(address, integrity);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

async function fetchFrom(address: string, integrity: string | null): Promise<Bytes> {
  const { name, file, wrong, ifWrong, ifMissing } = manifestLabel(address);
  // Its name does not change with its content, so the browser has to ask the server.
  const response = await fetch(address, { cache: "no-cache" }).catch((error: unknown) => {
    const origin = otherOrigin(address);
    const values = { file, ...(origin === undefined ? {} : { origin }) };
    throw new WebkilnError("network", `${name}: ${unanswered(address, error)}`, ifMissing, values);
  });
  const { ok, status } = response;
  if (!ok) {
    const problem = `${name}: the server answered ${status}`;
    throw new WebkilnError("network", problem, ifMissing, { file, status });
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (await isExpected(bytes, integrity)) return bytes;
  throw new WebkilnError("integrity", wrong, ifWrong, { file });
}
