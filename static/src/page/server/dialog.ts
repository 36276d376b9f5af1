/** The dialog in which a person names a server, and is told what that means. */

import { allowedOrigin, baseAddress, isLoopback } from "../../server/address";
import { ServerChat } from "../../server/chat";
import { listModels, modelName, type ServerModel } from "../../server/models";
import { element, iconButton } from "../dom";
import { asTrouble, isServerTrouble, type ServerTrouble } from "../engine";
import { type Said, told } from "../notice";
import { panels } from "../panel-words";
import { ledger } from "../privacy/ledger";
import type { ServerPlace } from "../store/schema";
import { words } from "../words";
import { type Draft, TokenDrafts } from "./token-drafts";
import { rememberToken, tokenOf } from "./tokens";

export interface Chosen extends ServerPlace {
  origin: string;
  /** The model as people read it. */
  name: string;
  answerer: ServerChat;
}

/** Asks for a server; `onChosen` is called when the person has decided, and not otherwise. */
export class ServerDialog {
  private readonly dialog: HTMLDialogElement;
  private readonly address = field("url", "server-address");
  private readonly token = field("password", "server-token");
  private readonly keep = field("checkbox", "server-keep");
  private readonly connect = button(panels.server.connect, "server-connect", "button quiet");
  private readonly use = button(panels.server.use, "server-use", "button primary");
  private readonly select = element("select", { attributes: { id: "server-model" } });
  private readonly status = element("div", {
    testid: "server-status",
    attributes: { role: "status" },
  });
  private readonly offer = element("div", { class: "server-offer", testid: "server-offer" });
  private readonly drafts = new TokenDrafts();
  private models: ServerModel[] = [];
  private base = "";
  private asking = new AbortController();

  constructor(
    private readonly origins: string[],
    private readonly onChosen: (chosen: Chosen) => void,
  ) {
    this.dialog = this.make();
    document.body.append(this.dialog);
    this.select.dataset.testid = "server-model";
    this.address.addEventListener("input", () => this.forget());
    // Not at every letter: a port that is half typed may be that of another server.
    this.address.addEventListener("change", () => this.turnTo());
    this.token.addEventListener("input", () => this.forget());
    this.use.addEventListener("click", () => this.choose());
    this.dialog.addEventListener("close", () => this.asking.abort());
  }

  /** `place`: what is in use already, or was. */
  open(place: Chosen | null): void {
    const origin = place?.origin ?? this.origins[0] ?? "";
    this.address.value = place?.base ?? origin;
    this.fill(this.drafts.begin(origin));
    this.forget();
    this.dialog.showModal();
  }

  /** Token and tick become those of the server that the address names now. */
  private turnTo(): void {
    const stands = { token: this.token.value, keep: this.keep.checked };
    this.fill(this.drafts.move(allowedOrigin(this.address.value, this.origins), stands));
  }

  private fill({ token, keep }: Draft): void {
    this.token.value = token;
    this.keep.checked = keep;
  }

  /** What was learned of another address or with another token holds no longer. */
  private forget(): void {
    this.asking.abort();
    this.models = [];
    this.offer.hidden = true;
    this.connect.disabled = false;
    this.status.replaceChildren();
  }

  private async ask(): Promise<void> {
    this.forget();
    this.turnTo();
    const asking = new AbortController();
    this.asking = asking;
    this.connect.disabled = true;
    this.status.replaceChildren(element("p", { class: "muted", text: panels.server.connecting }));
    try {
      this.base = baseAddress(this.address.value, this.origins);
      const models = await listModels(this.server(this.base), asking.signal);
      if (!asking.signal.aborted) this.show(models);
    } catch (error) {
      if (!asking.signal.aborted) this.showFault(error);
    } finally {
      if (!asking.signal.aborted) this.connect.disabled = false;
    }
  }

  private server(base: string) {
    return { base, token: this.token.value.trim(), onRequest };
  }

  private show(models: ServerModel[]): void {
    this.models = models;
    this.status.replaceChildren();
    this.select.replaceChildren(
      ...models.map(({ id }) =>
        element("option", { text: modelName(id), attributes: { value: id } }),
      ),
    );
    const { origin, hostname } = new URL(this.base);
    const { sends, thisDevice, onlyHere } = panels.server;
    const lines = [sends(origin), ...(isLoopback(hostname) ? [thisDevice] : []), onlyHere];
    this.offer.replaceChildren(
      labelled(panels.server.model, this.select),
      ...lines.map((text) => element("p", { text })),
      this.use,
    );
    this.offer.hidden = false;
    this.select.focus();
  }

  private showFault(error: unknown): void {
    const trouble = asTrouble(error);
    const { title, lines } = isServerTrouble(trouble) ? toldOfServer(trouble) : told(trouble);
    this.status.replaceChildren(
      element("div", {
        class: "notice",
        testid: "error",
        attributes: { "data-code": trouble.code },
        children: [
          element("h3", { text: title }),
          ...lines.filter((line) => line !== "").map((text) => element("p", { text })),
        ],
      }),
    );
  }

  private choose(): void {
    const model = this.models.find(({ id }) => id === this.select.value);
    if (!model) return;
    const server = this.server(this.base);
    const { origin } = new URL(this.base);
    rememberToken(origin, server.token, this.keep.checked);
    const answerer = new ServerChat({ ...server, model: model.id, context: model.context });
    this.dialog.close();
    const name = modelName(model.id);
    this.onChosen({ origin, base: this.base, model: model.id, name, answerer });
  }

  private make(): HTMLDialogElement {
    const { title, lead, address, allowed, token, tokenHelp, keepToken } = panels.server;
    const heading = element("h2", { text: title, attributes: { id: "server-title" } });
    const close = iconButton("close", words.site.close, "server-close");
    close.type = "submit";
    const form = element("form", {
      class: "panel-body",
      children: [
        element("p", { text: lead }),
        labelled(address, this.address, allowed(this.origins)),
        labelled(token, this.token, tokenHelp),
        element("label", { class: "server-keep", children: [this.keep, ` ${keepToken}`] }),
        this.connect,
        this.status,
        this.offer,
      ],
    });
    this.connect.type = "submit";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.ask();
    });
    const head = { class: "panel-head", attributes: { method: "dialog" } };
    return element("dialog", {
      class: "panel",
      testid: "server-dialog",
      attributes: { "aria-labelledby": "server-title" },
      children: [element("form", { ...head, children: [heading, close] }), form],
    });
  }
}

/** The server of a conversation that is opened again. */
export function chosenBefore({ base, model }: ServerPlace): Chosen {
  const { origin } = new URL(base);
  const server = { base, token: tokenOf(origin), onRequest };
  const answerer = new ServerChat({ ...server, model, context: null });
  return { origin, base, model, name: modelName(model), answerer };
}

function onRequest(address: string, sent: number): void {
  ledger.addSent(address, sent);
}

/** What is said of a server's fault. */
export function toldOfServer({ code, values }: ServerTrouble): Said {
  const { title, text, hint } = panels.server.faults[code];
  return { title, lines: [text(values), hint(values)] };
}

function field(type: string, id: string): HTMLInputElement {
  const attributes = { type, id, autocomplete: "off", spellcheck: "false" };
  return element("input", { testid: id, attributes });
}

function button(text: string, testid: string, style: string): HTMLButtonElement {
  return element("button", { class: style, text, testid, attributes: { type: "button" } });
}

function labelled(text: string, control: HTMLElement, help = ""): HTMLElement {
  const label = element("label", { text, attributes: { for: control.id } });
  if (help === "") return element("div", { class: "field", children: [label, control] });
  const id = `${control.id}-help`;
  control.setAttribute("aria-describedby", id);
  const note = element("p", { class: "help", text: help, attributes: { id } });
  return element("div", { class: "field", children: [label, control, note] });
}
