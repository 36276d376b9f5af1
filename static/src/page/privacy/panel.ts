/** The privacy panel: every request since the page was loaded, and what cannot be seen of them. */

import { element, iconButton, paced } from "../dom";
import { panels } from "../panel-words";
import { words } from "../words";
import { asText, conclude, detail, type Group, groups, type SiteFacts } from "./account";
import { askServiceWorker, ledger } from "./ledger";

/** Rows that are shown of a group at once; a panel of thousands would be slow. */
const MOST = 500;

export class PrivacyPanel {
  private readonly body = element("div", { class: "panel-body" });
  private readonly summary = element("p", {
    class: "privacy-summary",
    testid: "privacy-summary",
    attributes: { role: "status" },
  });
  private readonly list = element("div", { class: "privacy-groups" });
  private readonly worker = element("p", { class: "muted" });
  private readonly refused = element("p", { class: "muted", testid: "privacy-refused" });
  private readonly dialog = this.makeDialog();

  constructor(private readonly site: SiteFacts) {
    document.body.append(this.dialog);
    this.dialog.addEventListener("close", () => {
      ledger.onChange = () => {};
    });
    this.body.append(
      this.summary,
      element("p", { class: "muted", text: panels.privacy.since }),
      this.list,
      this.worker,
      copyBox(() => asText(ledger.requests, ledger.sent, site)),
      ...this.places(),
      ...blindSpots(),
    );
  }

  open(): void {
    ledger.onChange = paced(() => this.draw());
    this.draw();
    this.dialog.showModal();
    void this.askWorker();
  }

  private async askWorker(): Promise<void> {
    const { noWorker, silentWorker } = panels.privacy;
    const heard = await askServiceWorker();
    this.worker.textContent = heard === null ? noWorker : heard ? "" : silentWorker;
  }

  private draw(): void {
    const { requests, sent, refused } = ledger;
    const { sentence, alert } = conclude(requests, sent, this.site);
    if (this.summary.textContent !== sentence) this.summary.textContent = sentence;
    this.summary.classList.toggle("bad", alert);
    const open = new Set([...this.list.querySelectorAll("details[open]")].map((each) => each.id));
    this.list.replaceChildren(
      ...groups(requests, sent, this.site).map((group) => groupView(group, this.site, open)),
    );
    this.refused.textContent = refused.length > 0 ? panels.privacy.refused(refused) : "";
  }

  private makeDialog(): HTMLDialogElement {
    const title = element("h2", {
      text: panels.privacy.title,
      attributes: { id: "privacy-title" },
    });
    const close = iconButton("close", words.site.close, "privacy-close");
    close.type = "submit";
    return element("dialog", {
      class: "panel",
      testid: "privacy-dialog",
      attributes: { "aria-labelledby": "privacy-title" },
      children: [
        element("form", {
          class: "panel-head",
          attributes: { method: "dialog" },
          children: [title, close],
        }),
        this.body,
      ],
    });
  }

  /** The origins this site may contact. */
  private places(): HTMLElement[] {
    const { origins, thisSite, forModels, forServer, policy } = panels.privacy;
    const { origin, models, servers } = this.site;
    const folders = new Set(models.map((address) => new URL(address).origin));
    folders.delete(origin);
    const rows: [string, string][] = [
      [origin, thisSite],
      ...[...folders].map((each): [string, string] => [each, forModels]),
      ...servers.map((each): [string, string] => [each, forServer]),
    ];
    const items = rows.map(([place, what]) => element("li", { text: `${place} (${what})` }));
    return [
      element("h3", { text: origins }),
      element("ul", { class: "why", testid: "privacy-origins", children: items }),
      element("p", { class: "muted", text: policy }),
      this.refused,
    ];
  }
}

function groupView(group: Group, site: SiteFacts, open: Set<string>): HTMLElement {
  const { requests, network, sent } = panels.privacy;
  const facts = [requests(group.requests.length)];
  if (group.bytes > 0) facts.push(network(group.bytes));
  if (group.sent > 0) facts.push(sent(group.sent));
  const rows = group.requests.slice(-MOST).map((request) =>
    element("li", {
      children: [
        element("span", { class: "privacy-address", text: shown(request.address, site.origin) }),
        element("span", { class: "muted", text: detail(request, site) }),
      ],
    }),
  );
  const id = `privacy-${group.why}`;
  const view = element("details", {
    class: "checked",
    testid: id,
    attributes: { id },
    children: [
      element("summary", { text: `${panels.privacy.why[group.why]}: ${facts.join(" · ")}` }),
      element("ol", { class: "privacy-list", children: rows }),
    ],
  });
  view.open = open.has(id);
  return view;
}

/** Of this site's own files, the path says enough. */
function shown(address: string, origin: string): string {
  return address.startsWith(`${origin}/`) ? address.slice(origin.length) : address;
}

function blindSpots(): HTMLElement[] {
  const { blind, blindItems, check } = panels.privacy;
  const items = blindItems.map((text) => element("li", { text }));
  return [
    element("h3", { text: blind }),
    element("ul", { class: "why", testid: "privacy-blind", children: items }),
    element("p", { class: "muted", text: check }),
  ];
}

function copyBox(text: () => string): HTMLElement {
  const status = element("p", { class: "muted", attributes: { role: "status" } });
  const button = element("button", {
    class: "button quiet small",
    text: panels.privacy.copy,
    testid: "privacy-copy",
    attributes: { type: "button" },
  });
  button.addEventListener("click", async () => {
    // Without a secure context there is no clipboard, and a browser may refuse the one there is.
    const done = await navigator.clipboard?.writeText(text()).then(
      () => true,
      () => false,
    );
    status.textContent = done ? panels.privacy.copied : panels.privacy.notCopied;
  });
  return element("div", { class: "copy-box", children: [button, status] });
}
