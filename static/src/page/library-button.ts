/** The buttons that open the library, which arrives when it is wanted. */

import { find } from "./dom";
import type { LibraryPanel, Visit } from "./library/panel";
import { words } from "./words";

let panel: LibraryPanel | null = null;

/** `visit` says what there is to show, and what choosing a model does. */
export function offerLibrary(visit: () => Visit): void {
  const about = find("about-model", HTMLButtonElement);
  const inHeader = find("models", HTMLButtonElement);
  about.textContent = visit().models.length > 1 ? words.library.compare : words.library.about;
  about.hidden = inHeader.hidden = false;
  about.onclick = inHeader.onclick = () => void open(visit());
}

async function open(visit: Visit): Promise<void> {
  const { LibraryPanel } = await import("./library/panel");
  panel ??= new LibraryPanel();
  await panel.open(visit);
}
