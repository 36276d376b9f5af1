/** The chat page: puts its parts together and moves between start, loading and chat. */

import { Chat } from "./chat";
import { Composer } from "./composer";
import { DevicePanel } from "./device";
import { element, find } from "./dom";
import { asTrouble, type Engine, type Trouble } from "./engine";
import { Loader } from "./loader";
import { chooseModel, fetchModels, type Model, slug } from "./models";
import { Notice } from "./notice";
import { parseQuery } from "./query";
import { followBottom } from "./scroll";
import { SettingsPanel } from "./settings-panel";
import { StartCard } from "./start";
import { INSECURE, type Remedy } from "./trouble";

type State = "start" | "loading" | "ready";

class Page {
  private readonly query = parseQuery(location.search);
  private readonly notice = new Notice();
  private readonly device = new DevicePanel();
  private readonly settings = new SettingsPanel(() => this.meterContext());
  private readonly start = new StartCard(
    () => void this.load(),
    () => this.loader?.cancel(),
  );
  private readonly chat = new Chat(() => this.settings.value, {
    busy: (busy) => this.composer.setBusy(busy),
    trouble: (trouble) => this.showTrouble(trouble),
    overflow: (canDrop) => this.showOverflow(canDrop),
    changed: (turns) => {
      find("welcome", HTMLElement).hidden = turns.length > 0;
      this.meterContext();
    },
  });
  private readonly composer = new Composer(
    (text) => {
      this.notice.clear();
      this.bottom.follow();
      this.chat.send(text);
    },
    () => this.chat.stop(),
  );
  private readonly bottom = followBottom(find("log", HTMLElement), find("jump", HTMLButtonElement));
  private loader: Loader | null = null;

  async open(): Promise<void> {
    find("new-chat", HTMLButtonElement).addEventListener("click", () => this.newChat());
    for (const suggestion of document.querySelectorAll<HTMLButtonElement>(".suggestion")) {
      suggestion.addEventListener("click", () => this.composer.fill(suggestion.textContent ?? ""));
    }
    this.setState("start");
    try {
      await this.prepare();
    } catch (error) {
      this.start.showUnchecked();
      this.showTrouble(asTrouble(error));
    }
  }

  private async prepare(): Promise<void> {
    const models = await fetchModels();
    const model = chooseModel(models, this.query.model);
    if (!model) {
      this.showNoModel(models);
      return;
    }
    this.offerModels(models, model);
    this.loader = new Loader(model, this.query);
    this.start.showModel(model, this.loader.known);
    this.showProblems();
    await this.check();
  }

  private showNoModel(models: Model[]): void {
    this.start.showUnchecked();
    find("model-name", HTMLElement).textContent = "No model";
    const wanted = this.query.model;
    const lines =
      wanted === undefined
        ? ["The site serves no bundle that this version can read."]
        : [`There is no ${wanted} here.`, `This site has: ${models.map(slug).join(", ")}.`];
    this.notice.show("error", "No such model", lines, []);
  }

  private showProblems(): void {
    const { problems } = this.query;
    if (problems.length === 0) return;
    this.notice.show("notice", "Part of the address was not understood", problems, []);
  }

  private offerModels(models: Model[], chosen: Model): void {
    const select = find("model-select", HTMLSelectElement);
    select.hidden = models.length < 2;
    select.replaceChildren(
      ...models.map((model) =>
        element("option", { text: model.name, attributes: { value: slug(model) } }),
      ),
    );
    select.value = slug(chosen);
    select.addEventListener("change", () => {
      const address = new URL(location.href);
      address.searchParams.set("model", select.value);
      location.assign(address);
    });
  }

  private async check(): Promise<void> {
    const { loader } = this;
    if (!loader) return;
    if (!isSecureContext) {
      this.start.showUnchecked();
      this.showTrouble(INSECURE);
      return;
    }
    this.start.showChecking();
    const report = await loader.check();
    this.start.showReport(report);
    const wanted = loader.known || this.query.autoload;
    if (wanted && report.chosen !== null) await this.load();
  }

  private async load(): Promise<void> {
    const { loader } = this;
    if (!loader) return;
    this.notice.clear();
    this.device.clear();
    this.chat.attach(null);
    this.setState("loading");
    this.start.showLoading(true);
    try {
      const engine = await loader.load((progress) => this.start.showProgress(progress));
      this.begin(engine);
    } catch (error) {
      this.setState("start");
      const trouble = asTrouble(error);
      const again = () => void this.load();
      if (trouble.code !== "aborted") this.notice.showTrouble(trouble, again);
    } finally {
      this.start.showLoading(false);
    }
  }

  private begin(engine: Engine): void {
    this.device.show(engine);
    this.setState("ready");
    this.showProblems();
    this.chat.attach(engine);
    this.bottom.follow();
    this.composer.focus();
  }

  private newChat(): void {
    this.notice.clear();
    this.chat.restart();
    this.composer.focus();
  }

  private showTrouble(trouble: Trouble): void {
    this.notice.showTrouble(trouble, (remedy) => void this.remedy(remedy));
  }

  private async remedy(remedy: Remedy): Promise<void> {
    try {
      if (!this.loader) await this.prepare();
      else if (remedy === "reload") await this.load();
      else await this.check();
    } catch (error) {
      this.start.showUnchecked();
      this.showTrouble(asTrouble(error));
    }
  }

  private showOverflow(canDrop: boolean): void {
    const drop = {
      label: "Drop the oldest turns",
      testid: "drop-oldest",
      run: () => {
        this.notice.clear();
        this.chat.dropOldestAndRetry().catch((error) => this.showTrouble(asTrouble(error)));
      },
    };
    const anew = { label: "Start a new chat", testid: "start-anew", run: () => this.newChat() };
    const lines = canDrop
      ? ["The model can only look back so far. Older turns can be left out, or you can start anew."]
      : ["The last message alone takes up the model's whole context. Shorten it, or start anew."];
    const actions = canDrop ? [drop, anew] : [anew];
    this.notice.show("overflow", "The conversation fills the model's context", lines, actions);
  }

  /** How much of the context the conversation takes; a guess is worse than nothing. */
  private async meterContext(): Promise<void> {
    const engine = this.loader?.engine;
    const box = find("context", HTMLElement);
    const messages = engine ? this.chat.outgoing() : [];
    box.hidden = messages.length === 0;
    if (!engine || messages.length === 0) return;
    try {
      const used = await engine.countTokens(messages);
      const meter = find("context-meter", HTMLMeterElement);
      meter.max = engine.info.context;
      meter.high = engine.info.context * 0.85;
      meter.value = used;
      const size = engine.info.context.toLocaleString("en");
      find("context-text", HTMLElement).textContent =
        `${used.toLocaleString("en")} of ${size} tokens`;
    } catch {
      box.hidden = true;
    }
  }

  private setState(state: State): void {
    document.body.dataset.state = state;
    find("start", HTMLElement).hidden = state === "ready";
    find("chat", HTMLElement).hidden = state !== "ready";
    find("dock", HTMLElement).hidden = state !== "ready";
    find("new-chat", HTMLButtonElement).hidden = state !== "ready";
  }
}

void new Page().open();
