/** Puts the page's parts together and moves between start, loading and chat. */

import { Chat } from "./chat";
import { ChatNote } from "./chat-note";
import { Composer } from "./composer";
import { meterContext } from "./context-meter";
import { Conversations } from "./conversations";
import { deleteKept } from "./delete-model";
import { find, isFree } from "./dom";
import {
  type Answerer,
  asTrouble,
  type CapabilityReport,
  type Engine,
  isServerTrouble,
  type Trouble,
} from "./engine";
import { sayHeldWith } from "./held-with";
import { HistoryButton } from "./history/open";
import { LastRung } from "./last-rung";
import { offerLibrary } from "./library-button";
import { Loader } from "./loader";
import { offerModels, openModel } from "./model-select";
import { chooseModel, findModel, type Model, slug } from "./models";
import { Notice } from "./notice";
import {
  askMetered,
  sayEmbedder,
  sayNoModel,
  sayOverflow,
  sayProblems,
  sayUnread,
} from "./notices";
import { Placement } from "./placement";
import { offerPrivacy } from "./privacy/open";
import { parseQuery } from "./query";
import { followBottom } from "./scroll";
import { SettingsPanel } from "./settings-panel";
import { readSite } from "./site";
import { readServers, siteFacts } from "./site-facts";
import { isReady, type State, setStage } from "./stage";
import { StartCard } from "./start";
import type { Remedy } from "./trouble";
import { startsAtOnce } from "./verdict";
import type { Way, Wish } from "./wish";

export class ChatPage {
  private readonly query = parseQuery(location.search);
  /** The message box must not hide what a notice offers. */
  private readonly notice = new Notice(() => {
    if (isReady()) this.bottom.keep();
  });
  private readonly settings = new SettingsPanel({
    changed: () => this.meterContext(),
    instructed: (system) => this.conversations.instructed(system),
    runOn: () => this.runOnChanged(),
    reload: () => void this.load(),
  });
  private readonly placement = new Placement({
    query: this.query,
    settings: this.settings,
    loader: () => this.loader,
    chosen: (way) => this.take(way),
  });
  private readonly start = new StartCard(
    () => void this.load(),
    () => this.loader?.togglePause() ?? false,
    () => this.loader?.cancel(),
  );
  private readonly chat = new Chat(() => this.settings.value, {
    busy: (busy) => this.composer.setBusy(busy),
    trouble: (trouble) => this.showTrouble(trouble),
    overflow: (canDrop) => this.showOverflow(canDrop),
    changed: (turns) => {
      find("welcome", HTMLElement).hidden = turns.length > 0;
      this.showChat();
      this.meterContext();
    },
    grown: () => this.bottom.keep(),
    answering: () => this.noteAnswerer(),
  });
  private readonly chatNote = new ChatNote();
  private readonly conversations = new Conversations(this.chat, this.chatNote, {
    opened: () => this.showConversation(),
    failed: (error) => sayUnread(this.notice, error),
  });
  private readonly history = new HistoryButton(this.conversations, {
    // What comes next is most likely a question.
    chosen: (done) => void done.then(() => this.focusComposer()),
    modelName: (folder) => findModel(this.models, folder)?.name ?? folder,
    failed: (error) => sayUnread(this.notice, error),
  });
  private readonly composer = new Composer(
    (text) => {
      this.notice.clear();
      this.bottom.follow();
      this.chat.send(text);
    },
    () => void this.chat.stop(),
  );
  private readonly bottom = followBottom(find("log", HTMLElement), find("jump", HTMLButtonElement));
  private readonly lastRung = new LastRung(readServers(), {
    chosen: (server) => this.conversations.sentTo(server),
    changed: () => this.attach(),
  });
  private loader: Loader | null = null;
  private models: Model[] = [];
  /** What had the focus when the model began to load. */
  private waiting: Element | null = null;

  async open(): Promise<void> {
    find("new-chat", HTMLButtonElement).addEventListener("click", () => this.newChat());
    for (const suggestion of document.querySelectorAll<HTMLButtonElement>(".suggestion")) {
      suggestion.addEventListener("click", () => this.composer.fill(suggestion.textContent ?? ""));
    }
    offerPrivacy(siteFacts);
    this.setState("start");
    this.placement.showSetting();
    await this.reopen();
  }

  private async prepare(): Promise<void> {
    const { models } = readSite();
    this.models = models;
    await this.conversations.ready;
    const remembered = findModel(models, this.conversations.summary.model);
    const model = chooseModel(models, this.query.model ?? (remembered && slug(remembered)));
    if (!model) {
      this.start.showUnchecked();
      return sayNoModel(this.notice, models, this.query.model);
    }
    offerModels(models, model);
    offerLibrary(() => ({
      ...{ models, current: model },
      asked: (each) => this.placement.asked(each !== model),
      choose: (chosen) => {
        if (chosen === model) void this.load();
        else openModel(chosen, true);
      },
      delete: async (each) => {
        const freed = await deleteKept(each, this.loader);
        this.start.showModel(model, this.loader?.known ?? false);
        return freed;
      },
    }));
    if (model.embeds) {
      this.start.showUnchecked();
      return sayEmbedder(this.notice, model);
    }
    this.loader = new Loader(model, this.query.context);
    this.start.showModel(model, this.loader.known);
    sayProblems(this.notice, this.query.problems);
    await this.check();
  }

  /** Looks at the device; `mayLoad` says whether what is known already may be loaded at once. */
  private async check(mayLoad = true): Promise<void> {
    const { loader } = this;
    if (!loader) return;
    this.start.showChecking();
    this.placement.showSetting();
    const wish = this.placement.wish;
    const report = await this.look(loader, wish);
    const wanted = loader.known || this.query.autoload;
    if (mayLoad && startsAtOnce(report, wish, wanted)) await this.load();
  }

  private async look(loader: Loader, wish: Wish): Promise<CapabilityReport> {
    const report = await loader.check(wish);
    const onWay = (way: Way) => this.take(way);
    // Another wish may have been made, and checked, in the meantime.
    if (loader.isChecked(this.placement.wish)) {
      this.start.showReport(report, wish, onWay, () => this.placement.findings());
    }
    return report;
  }

  /** `mayCost`: the person has agreed to a download over a metered connection. */
  private async load(mayCost = false): Promise<void> {
    const { loader } = this;
    if (!loader) return;
    const wish = this.placement.wish;
    const costs = mayCost ? 0 : await loader.costs(wish).catch(() => 0);
    if (costs > 0) return askMetered(this.notice, costs, () => void this.load(true));
    this.notice.clear();
    this.waiting = document.activeElement;
    this.placement.clear();
    void this.chat.stop();
    this.chat.attach(null);
    this.setState("loading");
    this.start.showLoading(true);
    try {
      if (!loader.isChecked(wish)) await this.look(loader, wish);
      const engine = await loader.load(wish, {
        onProgress: (progress) => this.start.showProgress(progress),
        onChange: (info) => this.placement.changed(info),
      });
      this.begin(engine, wish);
    } catch (error) {
      this.setState("start");
      this.placement.showSetting();
      const trouble = asTrouble(error);
      if (trouble.code !== "aborted") this.showLoadTrouble(trouble);
      // "Run on" may have been set while it loaded.
      else if (!loader.isChecked(this.placement.wish)) void this.recheck(false);
    } finally {
      this.start.showLoading(false);
    }
  }

  private begin(engine: Engine, wish: Wish): void {
    this.placement.begin(engine.info, wish);
    this.attach();
    sayProblems(this.notice, this.query.problems);
    this.bottom.follow();
  }

  private noteAnswerer(): void {
    const { modelName: serverModel } = this.lastRung;
    const model = this.loader ? slug(this.loader.model) : "";
    const who = serverModel === null ? { model } : { serverModel };
    this.conversations.answeredBy(who, this.settings.value.system);
    this.sayHeldWith();
  }

  /** Whoever answers now: the server somebody chose for this conversation, or the engine. */
  private attach(): void {
    const { answerer } = this;
    void this.chat.stop();
    this.notice.clear();
    this.chat.attach(answerer);
    this.sayHeldWith();
    this.settleState();
    if (isFree(this.waiting)) this.focusComposer();
  }

  /** The server's conversation is ready without a model; one that is loading goes on loading. */
  private settleState(): void {
    if (this.answerer) this.setState("ready");
    else if (isReady()) this.setState("start");
  }

  private get answerer(): Answerer | null {
    return this.lastRung.answerer ?? this.loader?.engine ?? null;
  }

  /** A button asks for a way of running. */
  private take(way: Way): void {
    this.placement.ask(way);
    this.notice.clear();
    if (this.placement.isLoaded) void this.load();
    else void this.recheck().then(() => this.start.takeFocus());
  }

  private runOnChanged(): void {
    this.placement.ask(null);
    if (document.body.dataset.state === "start") void this.recheck(false);
  }

  private async recheck(mayLoad = true): Promise<void> {
    try {
      await this.check(mayLoad);
    } catch (error) {
      this.start.showUnchecked();
      this.showTrouble(asTrouble(error));
    }
  }

  private newChat(): void {
    this.notice.clear();
    void this.conversations.anew();
    this.composer.focus();
  }

  /** Another conversation is on the page: its system prompt holds, and its model may be another. */
  private showConversation(): void {
    const { empty, summary, writable } = this.conversations;
    this.notice.clear();
    this.settings.useSystem(empty ? null : summary.system);
    void this.lastRung.enter(summary.server);
    this.showChat();
    find("composer", HTMLElement).hidden = !writable;
    this.sayHeldWith();
    this.bottom.follow();
    this.history.moved();
    if (isFree()) this.focusComposer();
  }

  private focusComposer(): void {
    if (isReady() && this.conversations.writable) this.composer.focus();
  }

  private sayHeldWith(): void {
    const { empty, summary } = this.conversations;
    const known = empty || this.lastRung.admits(summary.server);
    sayHeldWith(this.chatNote, known ? null : summary, this.models, this.loader?.model);
  }

  private showTrouble(trouble: Trouble): void {
    if (isServerTrouble(trouble)) {
      void this.lastRung.showTrouble(this.notice, trouble, () => this.chat.regenerate());
      return;
    }
    const others = this.placement.elsewhere(trouble, () => void this.load());
    this.notice.showTrouble(trouble, (remedy) => void this.remedy(remedy), others);
  }

  private showLoadTrouble(trouble: Trouble): void {
    if (isServerTrouble(trouble)) return; // loading asks no server
    this.notice.showTrouble(
      trouble,
      () => void this.load(),
      this.placement.elsewhere(trouble, () => void this.load()),
    );
  }

  private async remedy(remedy: Remedy): Promise<void> {
    if (this.loader && remedy === "reload") await this.load();
    else if (this.loader) await this.recheck();
    else await this.reopen();
  }

  private async reopen(): Promise<void> {
    try {
      await this.prepare();
    } catch (error) {
      this.start.showUnchecked();
      this.showTrouble(asTrouble(error));
    }
  }

  private showOverflow(canDrop: boolean): void {
    const drop = () => {
      this.notice.clear();
      this.chat.dropOldestAndRetry().catch((error) => this.showTrouble(asTrouble(error)));
    };
    sayOverflow(this.notice, canDrop, { drop, anew: () => this.newChat() });
  }

  private async meterContext(): Promise<void> {
    const { answerer } = this;
    await meterContext(answerer, answerer ? this.chat.outgoing() : []);
  }

  private setState(state: State): void {
    setStage(state);
    this.showChat();
  }

  /** A conversation can be read before its model is loaded. */
  private showChat(): void {
    const { empty } = this.conversations;
    find("chat", HTMLElement).hidden = !isReady() && empty;
    document.body.classList.toggle("reading", !isReady() && !empty);
  }
}
