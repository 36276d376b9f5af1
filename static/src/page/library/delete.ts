/** Deleting a model: a button that asks once more. */

import { element } from "../dom";
import { panels } from "../panel-words";

/** The button; `row`, where it stands, shows the question in its place. */
export function deletion(
  row: HTMLElement,
  name: string,
  kept: number,
  run: () => Promise<void>,
): HTMLButtonElement {
  const remove = button(panels.library.remove, "library-delete", "quiet");
  remove.addEventListener("click", () => confirm(row, name, kept, run));
  return remove;
}

function confirm(row: HTMLElement, name: string, kept: number, run: () => Promise<void>): void {
  const { library } = panels;
  const before = [...row.childNodes];
  const yes = button(library.removeYes, "library-delete-yes", "primary");
  const no = button(library.removeNo, "library-delete-no", "quiet");
  const ask = element("p", { text: library.removeAsk(name, kept) });
  row.replaceChildren(ask, yes, no);
  no.addEventListener("click", () => {
    row.replaceChildren(...before);
    row.querySelector<HTMLButtonElement>("[data-testid=library-delete]")?.focus();
  });
  yes.addEventListener("click", () => {
    yes.disabled = no.disabled = true;
    void run().finally(() => {
      yes.disabled = no.disabled = false;
    });
  });
  yes.focus();
}

export function button(text: string, testid: string, kind: string): HTMLButtonElement {
  return element("button", {
    class: `button ${kind} small`,
    testid,
    text,
    attributes: { type: "button" },
  });
}
