/** Files out of the page and into it; nothing of them goes over the network. */

import { element } from "../dom";
import { panels } from "../panel-words";
import { refused } from "./import";

const LARGEST = 256e6; // bytes; a browser cannot hold much more in one text
const TYPES = { json: "application/json", md: "text/markdown" };

export function download(name: string, ending: keyof typeof TYPES, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${TYPES[ending]};charset=utf-8` }));
  const link = element("a", { attributes: { href: address, download: name } });
  link.click();
  // The browser takes the file over while it handles the click, or soon after.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export async function readText(file: File): Promise<string> {
  if (file.size > LARGEST) throw refused(panels.file.tooLarge(file.size));
  try {
    return await file.text();
  } catch {
    throw refused(panels.file.unread);
  }
}
