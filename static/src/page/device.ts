/** The device panel: the rung the model runs on, and why it is not a higher one. */

import { copyBox } from "./copy-report";
import { element, find } from "./dom";
import type { CapabilityReport, EngineInfo } from "./engine";
import { explanation, type OnWay } from "./explanation";
import { plural } from "./format";
import { explain, place, placeLabel, rungName } from "./ladder";
import { sentence } from "./notice";
import type { Wish } from "./wish";

/** All that was checked, folded up, with the way to copy it. */
export function checked(report: CapabilityReport, inUse: string | null, copied: () => string) {
  return element("details", {
    class: "checked",
    testid: "checked",
    children: [
      element("summary", { text: "What was checked" }),
      facts(report),
      element("h3", { text: "Ways of running it, best first" }),
      rungList(report, inUse),
      copyBox(copied),
    ],
  });
}

/** Every rung with its state and the engine's own reasons, best first. */
function rungList(report: CapabilityReport, inUse: string | null): HTMLElement {
  const items = report.rungs.map((rung) => {
    const chosen = rung.variant === (inUse ?? report.chosen);
    const state = chosen ? (inUse ? "in use" : "chosen") : rung.usable ? "possible" : "not here";
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
function facts(report: CapabilityReport): HTMLElement {
  return factList([
    ["Graphics adapter", adapterName(report)],
    ["Its half precision", yes(report.features.includes("shader-f16"))],
    ["Its subgroups", yes(report.features.includes("subgroups"))],
    ["WebAssembly", report.webassembly.join(", ") || "without extensions"],
    ["Processor cores", String(report.cores)],
    ["Secure context", yes(report.secureContext)],
    ["Cross-origin isolated", yes(report.crossOriginIsolated)],
  ]);
}

function yes(is: boolean): string {
  return is ? "yes" : "no";
}

export class DevicePanel {
  private readonly dialog = find("device-dialog", HTMLDialogElement);
  private readonly body = find("device-body", HTMLElement);
  private readonly chip = find("rung", HTMLButtonElement);

  /** `copied` makes the text that "Copy as JSON" copies. */
  constructor(
    private readonly onWay: OnWay,
    private readonly copied: () => string,
  ) {
    this.chip.addEventListener("click", () => this.open());
  }

  open(): void {
    this.dialog.showModal();
  }

  show(info: EngineInfo, wish: Wish): void {
    const { report, variant, backend, notes } = info;
    const [where, how] = placeLabel(backend);
    const rest = element("span", { class: "wide-only", text: ` · ${how}` });
    this.chip.replaceChildren(where, rest);
    this.chip.title = `How the model runs here: ${rungName(variant, backend)}`;
    this.chip.hidden = false;
    const title = `Runs ${place(backend, info.threads)}`;
    const lines = explain(report, variant, wish);
    const anew: OnWay = (way) => {
      this.dialog.close();
      this.onWay(way);
    };
    this.body.replaceChildren(
      explanation({ good: true, title, lines }, anew),
      factList([
        ["Model", info.model],
        ["Runs as", rungName(variant, backend)],
        ["Context", plural(info.context, "token")],
        ["Vocabulary", plural(info.vocabulary, "token")],
      ]),
      ...goodToKnow(notes),
      checked(report, variant, this.copied),
    );
  }

  clear(): void {
    this.chip.hidden = true;
  }
}

/** What the manifest and the loading had to say about the model. */
function goodToKnow(notes: string[]): HTMLElement[] {
  if (notes.length === 0) return [];
  const items = notes.map((note) => element("li", { text: sentence(note) }));
  return [
    element("h3", { text: "Good to know" }),
    element("ul", { class: "why", testid: "notes", children: items }),
  ];
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
