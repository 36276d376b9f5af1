/** The device panel: the rung the model runs on, and why it is not a higher one. */

import { copyBox } from "./copy-report";
import { element, find } from "./dom";
import type { CapabilityReport, EngineInfo } from "./engine";
import { explanation, type OnWay } from "./explanation";
import { explain, placeLabel } from "./ladder";
import { sentence } from "./notice";
import { noted } from "./plain";
import { rungName } from "./rung-name";
import type { Wish } from "./wish";
import { words } from "./words";

/** The engine and the compiler speak English; a screen reader should know. */
const ENGLISH = { lang: "en" };

/** All that was checked, folded up, with the way to copy it. */
export function checked(report: CapabilityReport, inUse: string | null, copied: () => string) {
  return element("details", {
    class: "checked",
    testid: "checked",
    children: [
      element("summary", { text: words.device.checked }),
      facts(report),
      element("h3", { text: words.device.rungs }),
      rungList(report, inUse),
      copyBox(copied),
    ],
  });
}

/** Every rung with its state and the engine's own reasons, best first. */
function rungList(report: CapabilityReport, inUse: string | null): HTMLElement {
  const { inUse: used, chosen: taken, possible, notHere } = words.device;
  const items = report.rungs.map((rung) => {
    const chosen = rung.variant === (inUse ?? report.chosen);
    const state = chosen ? (inUse ? used : taken) : rung.usable ? possible : notHere;
    return element("li", {
      class: chosen ? "rung chosen" : "rung",
      children: [
        element("span", { class: "rung-name", text: rungName(rung.variant, rung.backend) }),
        element("span", { class: "rung-state", text: state }),
        ...rung.reasons.map((reason) =>
          element("p", { text: sentence(reason), attributes: ENGLISH }),
        ),
      ],
    });
  });
  return element("ol", { class: "rungs", children: items });
}

/** What the browser tells about the device; none of it leaves the tab. */
function facts(report: CapabilityReport): HTMLElement {
  const { device } = words;
  return factList([
    [device.adapter, adapterName(report)],
    [device.halfPrecision, yes(report.features.includes("shader-f16"))],
    [device.subgroups, yes(report.features.includes("subgroups"))],
    [device.extensions, report.webassembly.join(", ") || device.noExtensions],
    [device.cores, String(report.cores)],
    [device.secure, yes(report.secureContext)],
    [device.isolated, yes(report.crossOriginIsolated)],
  ]);
}

function yes(is: boolean): string {
  return is ? words.device.yes : words.device.no;
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
    const { report, variant, backend } = info;
    const [where, how] = placeLabel(backend);
    const rest = element("span", { class: "wide-only", text: ` · ${how}` });
    this.chip.replaceChildren(where, rest);
    this.chip.title = words.device.chipRung(rungName(variant, backend));
    this.chip.hidden = false;
    const title = words.ladder.runs(words.ladder.place(backend, info.threads));
    const lines = explain(report, variant, wish);
    const anew: OnWay = (way) => {
      this.dialog.close();
      this.onWay(way);
    };
    this.body.replaceChildren(
      explanation({ good: true, title, lines }, anew),
      factList([
        [words.device.model, info.model],
        [words.device.runsAs, rungName(variant, backend)],
        [words.device.context, words.device.tokens(info.context)],
        [words.device.vocabulary, words.device.tokens(info.vocabulary)],
      ]),
      ...goodToKnow(info),
      checked(report, variant, this.copied),
    );
  }

  clear(): void {
    this.chip.hidden = true;
  }
}

/** What the manifest and the loading had to say about the model. */
function goodToKnow(info: EngineInfo): HTMLElement[] {
  if (info.notes.length === 0) return [];
  const items = info.notes.map((note) => {
    const ours = noted(note, info);
    const attributes = ours === null ? ENGLISH : {};
    return element("li", { text: sentence(ours ?? note), attributes });
  });
  return [
    element("h3", { text: words.device.notes }),
    element("ul", { class: "why", testid: "notes", children: items }),
  ];
}

function adapterName({ adapter }: CapabilityReport): string {
  if (adapter === null) return words.device.noAdapter;
  const name = adapter.description || [adapter.vendor, adapter.architecture].join(" ").trim();
  const known = name || words.device.noName;
  return adapter.fallback ? words.device.emulated(known) : known;
}

function factList(rows: [string, string][]): HTMLElement {
  const cells = rows.flatMap(([term, value]) => [
    element("dt", { text: term }),
    element("dd", { text: value }),
  ]);
  return element("dl", { class: "facts", children: cells });
}
