/** "Copy as JSON": what the check learned, for the person to hand on; the page sends nothing. */

import { FORMAT } from "../plan";
import { element, find } from "./dom";
import type { CapabilityReport, EngineInfo } from "./engine";
import { toWay, type Wish } from "./wish";
import { words } from "./words";

export interface Findings {
  model: string;
  wish: Wish;
  report: CapabilityReport;
  /** Absent before a model is loaded. */
  info?: EngineInfo | undefined;
}

export function toJson({ model, wish, report, info }: Findings, userAgent: string): string {
  const engine = info && {
    variant: info.variant,
    backend: info.backend,
    threads: info.threads,
    context: info.context,
    notes: info.notes,
  };
  const asked = { ...toWay(wish), source: wish.source };
  const page = { format: FORMAT, userAgent };
  return JSON.stringify({ page, model, asked, engine: engine ?? null, report }, null, 2);
}

/** The button, and beside it what became of the text. */
export function copyBox(text: () => string): HTMLElement {
  const status = element("p", {
    class: "muted",
    text: words.device.notSent,
    testid: "copy-status",
    attributes: { role: "status" },
  });
  const button = element("button", {
    class: "button quiet small",
    text: words.device.copy,
    testid: "copy-report",
    attributes: { type: "button" },
  });
  button.addEventListener("click", async () => {
    const copied = text();
    // Without a secure context there is no clipboard, and a browser may refuse the one there is.
    const done = await navigator.clipboard?.writeText(copied).then(
      () => true,
      () => false,
    );
    if (done) status.textContent = words.device.copied;
    else showText(copied);
  });
  return element("div", { class: "copy-box", children: [button, status] });
}

/** The text selected, ready for the browser's own copy command. */
function showText(text: string): void {
  const area = find("report-text", HTMLTextAreaElement);
  area.value = text;
  find("report-dialog", HTMLDialogElement).showModal();
  area.focus();
  area.select();
  area.scrollTop = 0; // selecting goes to the end
}
