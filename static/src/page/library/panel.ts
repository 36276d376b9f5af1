/** The library: every model of the site with its verdict for this device. */

import type { Assessment, Fit, ModelQuestion } from "../../engine/assessment";
import type { StoredModel } from "../../load/stored";
import { element } from "../dom";
import { asTrouble, importEngine, isServerTrouble } from "../engine";
import type { Model } from "../models";
import { sentence, told } from "../notice";
import { panels } from "../panel-words";
import type { Asked } from "../wish";
import { words } from "../words";
import { card, type Shown } from "./card";
import { button } from "./delete";
import { others } from "./others";

export interface Visit {
  models: Model[];
  /** The one that this page has chosen. */
  current: Model | undefined;
  /** How a model is run if it is chosen. */
  asked(model: Model): Asked;
  choose(model: Model): void;
  /** Bytes that this gave back. */
  delete(model: Model): Promise<number>;
}

export class LibraryPanel {
  private readonly list = element("div", { class: "library-list", testid: "library-list" });
  private readonly others = element("div", { class: "library-others" });
  private readonly space = element("div", { class: "library-space", testid: "library-space" });
  private readonly status = element("p", { class: "muted", attributes: { role: "status" } });
  private readonly again = button(words.trouble.retry, "library-retry", "quiet");
  private readonly dialog = dialog([this.status, this.again, this.list, this.others, this.space]);
  private visit: Visit | null = null;
  private found: Assessment[] | null = null;

  constructor() {
    document.body.append(this.dialog);
    this.again.addEventListener("click", () => void this.refresh());
  }

  async open(visit: Visit): Promise<void> {
    this.visit = visit;
    this.found = null;
    void this.draw();
    this.dialog.showModal();
    await this.refresh();
  }

  /** Whether it could. */
  private async refresh(): Promise<boolean> {
    this.again.hidden = true;
    try {
      await this.assess(false);
      await this.showOthers();
      await this.showSpace();
      // A model that is loaded, or loading, would be in the way of the measurement.
      if (document.body.dataset.state === "start") await this.assess(true);
      this.status.textContent = "";
      return true;
    } catch (error) {
      this.status.textContent = fault(error);
      this.again.hidden = false;
      return false;
    }
  }

  private async assess(measure: boolean): Promise<void> {
    const { assess } = await importEngine();
    if (!this.visit) return;
    const { models, asked } = this.visit;
    this.status.textContent = measure ? panels.library.measuring : panels.library.looking;
    const questions = models.map(
      (model): ModelQuestion => ({
        model: address(model),
        mirrors: model.urls.slice(1).map(absolute),
        integrity: model.integrity,
        ...asked(model),
      }),
    );
    this.found = await assess(questions, { measure });
    await this.draw();
  }

  private async draw(): Promise<void> {
    const { visit, found } = this;
    if (!visit) return;
    const { suggestModel } = await importEngine();
    const suggestion = found && visit.models.length > 1 ? suggestModel(found) : null;
    const focused = this.focused();
    const shown = visit.models.map((model, index): Shown => {
      const isIt = suggestion !== null && suggestion.model === address(model);
      return {
        model,
        assessment: found?.[index] ?? null,
        current: model === visit.current,
        suggested: isIt ? panels.library.suggested[suggestion.reason] : "",
      };
    });
    const events = {
      choose: (model: Model) => this.choose(model),
      delete: (model: Model) => this.delete(model),
    };
    shown.sort((a, b) => rank(a) - rank(b));
    this.list.replaceChildren(...shown.map((each) => card(each, events)));
    if (focused) this.list.querySelector<HTMLElement>(focused)?.focus();
  }

  /** Where the focus is among the cards, which are about to be drawn anew. */
  private focused(): string | null {
    const active = document.activeElement;
    const slug = active?.closest<HTMLElement>("[data-slug]")?.dataset.slug;
    if (!(active instanceof HTMLElement) || slug === undefined) return null;
    return `[data-slug="${CSS.escape(slug)}"] [data-testid="${active.dataset.testid}"]`;
  }

  private choose(model: Model): void {
    this.dialog.close();
    this.visit?.choose(model);
  }

  private async delete(model: Model): Promise<void> {
    if (this.visit) await this.deleted(model.name, this.visit.delete(model));
  }

  private async deleted(name: string, deletion: Promise<number>): Promise<void> {
    const outcome = await deletion.then((freed) => panels.library.removed(name, freed), fault);
    if (await this.refresh()) this.status.textContent = outcome;
    this.dialog.querySelector<HTMLElement>("[data-testid=library-close]")?.focus();
  }

  private async showOthers(): Promise<void> {
    const { storedModels, deleteModel } = await importEngine();
    const offered = new Set(this.visit?.models.map(({ integrity }) => integrity));
    const kept = (await storedModels()).filter(({ integrity }) => !offered.has(integrity));
    const remove = (model: StoredModel) => this.deleted(model.name, deleteModel(model.integrity));
    this.others.replaceChildren(...others(kept, remove));
  }

  private async showSpace(): Promise<void> {
    const { storageUse, persistStorage } = await importEngine();
    const { models, free, persisted } = await storageUse();
    const { library } = panels;
    const parts: HTMLElement[] = [element("p", { text: library.space(models, free) })];
    if (models > 0 && persisted === true) {
      parts.push(element("p", { class: "muted", text: library.persisted }));
    } else if (models > 0 && persisted === false) {
      const keep = button(library.persist, "library-persist", "quiet");
      keep.addEventListener("click", async () => {
        const agreed = await persistStorage();
        await this.showSpace();
        this.status.textContent = agreed ? library.persisted : library.persistRefused;
      });
      parts.push(element("p", { class: "muted", text: library.persistWhy }), keep);
    }
    this.space.replaceChildren(...parts);
  }
}

/** The suggested one first, then by how they fit; what does not chat comes last. */
function rank({ model, assessment, suggested }: Shown): number {
  if (suggested) return -1;
  return (assessment ? FITS.indexOf(assessment.fit) : 0) + (model.embeds ? FITS.length : 0);
}

/** What went wrong and what can be done about it, in a line. */
function fault(error: unknown): string {
  const trouble = asTrouble(error);
  if (isServerTrouble(trouble)) return ""; // no server is asked
  const { title, lines } = told(trouble);
  return [title, ...lines].map(sentence).join(" ");
}

const FITS: Fit[] = ["well", "tight", "unknown", "no"];

function address({ urls }: Model): string {
  return absolute(urls[0]);
}

function absolute(url: string): string {
  return new URL(url, document.baseURI).href;
}

function dialog(content: HTMLElement[]): HTMLDialogElement {
  const { close } = words.site;
  const heading = element("h2", { text: words.library.title, attributes: { id: "library-title" } });
  const button = element("button", {
    class: "icon-button",
    testid: "library-close",
    attributes: { "aria-label": close, title: close, "data-icon": "close" },
  });
  const head = element("form", {
    class: "panel-head",
    attributes: { method: "dialog" },
    children: [heading, button],
  });
  return element("dialog", {
    class: "panel wide",
    testid: "library-dialog",
    attributes: { id: "library-dialog", "aria-labelledby": "library-title" },
    children: [head, element("div", { class: "panel-body", children: content })],
  });
}
