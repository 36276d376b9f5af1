/** Models that this browser keeps and this site does not offer, or offers no longer. */

import type { StoredModel } from "../../load/stored";
import { element } from "../dom";
import { panels } from "../panel-words";
import { words } from "../words";
import { deletion } from "./delete";

export function others(
  models: StoredModel[],
  remove: (model: StoredModel) => Promise<void>,
): HTMLElement[] {
  if (models.length === 0) return [];
  const { library } = panels;
  return [
    element("h3", { text: library.others }),
    element("p", { class: "muted", text: library.othersWhy }),
    ...models.map((model) => row(model, () => remove(model))),
  ];
}

function row({ name, kept }: StoredModel, remove: () => Promise<void>): HTMLElement {
  const line = element("p", { text: `${name} · ${words.figures.bytes(kept)}` });
  const buttons = element("div", { class: "library-buttons" });
  const button = deletion(buttons, name, kept, remove);
  button.setAttribute("aria-label", panels.library.of(panels.library.remove, name));
  buttons.append(button);
  return element("div", {
    class: "library-other",
    testid: "library-other",
    children: [line, buttons],
  });
}
