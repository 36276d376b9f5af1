/** The device panel: the rung the model runs on, and why it is not a higher one. */

import { element, find } from "./dom";
import type { CapabilityReport, Engine } from "./engine";
import { plural } from "./format";
import { sentence } from "./notice";
import { rungName } from "./trouble";

/** Every rung with its state and reasons, best first. */
export function rungList(report: CapabilityReport): HTMLElement {
  const items = report.rungs.map((rung) => {
    const chosen = rung.variant === report.chosen;
    const state = chosen ? "in use" : rung.usable ? "possible" : "not here";
    return element("li", {
      class: chosen ? "rung chosen" : "rung",
      children: [
        element("span", { class: "rung-name", text: rungName(rung.variant, rung.backend) }),
        element("span", { class: "rung-state", text: state }),
        ...rung.reasons.map((reason) => element("p", { text: sentence(reason) })),
      ],
    });
  });
  return element("ol", { class: "rungs", children: items });
}

/** What the browser tells about the device; none of it leaves the tab. */
export function facts(report: CapabilityReport): HTMLElement {
  const rows: [string, string][] = [
    ["Graphics adapter", adapterName(report)],
    ["Secure context", report.secureContext ? "yes" : "no"],
    ["Cross-origin isolated", report.crossOriginIsolated ? "yes" : "no"],
  ];
  return factList(rows);
}

export class DevicePanel {
  private readonly dialog = find("device-dialog", HTMLDialogElement);
  private readonly body = find("device-body", HTMLElement);
  private readonly chip = find("rung", HTMLButtonElement);

  constructor() {
    this.chip.addEventListener("click", () => this.dialog.showModal());
  }

  show({ info }: Engine): void {
    this.chip.textContent = rungName(info.variant, info.backend);
    this.chip.hidden = false;
    this.body.replaceChildren(
      factList([
        ["Model", info.model],
        ["Runs as", rungName(info.variant, info.backend)],
        ["Context", plural(info.context, "token")],
        ["Vocabulary", plural(info.vocabulary, "token")],
      ]),
      facts(info.report),
      element("h3", { text: "Ways of running it, best first" }),
      rungList({ ...info.report, chosen: info.variant }),
    );
  }

  clear(): void {
    this.chip.hidden = true;
  }
}

function adapterName({ adapter }: CapabilityReport): string {
  if (adapter === null) return "none";
  const name = adapter.description || [adapter.vendor, adapter.architecture].join(" ").trim();
  return `${name || "not named"}${adapter.fallback ? " (emulated in software)" : ""}`;
}

function factList(rows: [string, string][]): HTMLElement {
  const cells = rows.flatMap(([term, value]) => [
    element("dt", { text: term }),
    element("dd", { text: value }),
  ]);
  return element("dl", { class: "facts", children: cells });
}
