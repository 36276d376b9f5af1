/** The panel of conversations: beside the chat where there is room, over it on a phone. */

import { composes, element, iconButton } from "../dom";
import { asTrouble } from "../engine";
import { panels } from "../panel-words";
import type { News } from "../store/channel";
import type { Conversation } from "../store/records";
import type { Summary } from "../store/schema";
import type { ConversationStore } from "../store/store";
import { titleOf } from "../store/title";
import { words } from "../words";
import { fileName, toJson, toMarkdown } from "./export";
import { download, readText } from "./files";
import { fromJson } from "./import";
import { type Context, List } from "./list";
import { merge } from "./merge";
import { Index, type Snippet } from "./search";
import { Status } from "./status";
import { Tools } from "./tools";

/** The rest of the page. */
export interface Host {
  readonly store: ConversationStore;
  /** Why this browser keeps nothing; null: it does. */
  readonly notKept: string | null;
  /** The button that opens the panel. */
  readonly button: HTMLElement;
  current(): string;
  open(id: string): void;
  anew(): void;
  modelName(folder: string): string;
}

type Heard = Exclude<News, { type: "release" }>;

const WIDE = "(min-width: 72rem)"; // the chat's column and the panel side by side
const PAUSE = 300; // milliseconds between two looks at what other tabs write
const BATCH = 50; // conversations that are indexed at a stretch

export class HistoryPanel {
  private readonly list = new List({
    open: (id) => this.choose(() => this.host.open(id)),
    rename: (id, title) => this.act(() => this.rename(id, title)),
    exportAs: (id, ending) => this.act(() => this.exportOne(id, ending)),
    delete: (id) => this.act(() => this.delete(id)),
  });
  private readonly tools = new Tools({
    exportAll: (ending) => this.act(async () => this.export(await this.host.store.all(), ending)),
    import: (file) => this.act(() => this.import(file)),
    deleteAll: () => this.act(() => this.deleteAll()),
    count: async () => (await this.host.store.list()).length,
  });
  private readonly status = new Status();
  private readonly search = element("input", {
    class: "history-search",
    testid: "history-search",
    attributes: {
      type: "search",
      "aria-label": panels.history.search,
      placeholder: panels.history.search,
    },
  });
  private readonly dialog: HTMLDialogElement;
  /** Made for the first search after opening, and dropped with the panel. */
  private index: Promise<Index> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private refreshes = 0;
  /** What has happened since the list was last looked at. */
  private readonly news: Heard[] = [];

  constructor(private readonly host: Host) {
    this.dialog = this.build();
    document.body.append(this.dialog);
    host.store.channel.listen((news) => this.hear(news));
  }

  async toggle(): Promise<void> {
    if (this.dialog.open) return this.dialog.close();
    await this.refresh();
    if (matchMedia(WIDE).matches) this.dialog.show();
    else this.dialog.showModal();
    this.host.button.setAttribute("aria-expanded", "true");
  }

  /** Another conversation is open now. */
  moved(): void {
    if (this.dialog.open) void this.refresh();
  }

  private build(): HTMLDialogElement {
    const close = iconButton("close", words.site.close, "history-close");
    close.addEventListener("click", () => this.dialog.close());
    const anew = element("button", {
      class: "button quiet small",
      text: panels.history.anew,
      testid: "history-new",
      attributes: { type: "button" },
    });
    anew.addEventListener("click", () => this.choose(() => this.host.anew()));
    this.search.addEventListener("input", () => {
      this.status.clear();
      void this.act(() => this.refresh());
    });
    const title = element("h2", { text: words.history.title, attributes: { id: "history-title" } });
    const head = element("div", { class: "panel-head", children: [title, close] });
    const { notKept } = this.host;
    const parts =
      notKept === null
        ? [anew, this.search, this.tools.node, this.status.node, this.list.node]
        : [
            element("p", {
              class: "muted",
              text: panels.history.notKept(notKept),
              testid: "not-kept",
            }),
          ];
    const body = element("div", { class: "panel-body", children: parts });
    const dialog = element("dialog", {
      class: "panel history",
      testid: "history-dialog",
      attributes: { id: "history-dialog", "aria-labelledby": "history-title" },
      children: [head, body],
    });
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => {
      // A dialog beside the page is not closed by the browser.
      if (event.key !== "Escape" || event.defaultPrevented || composes(event)) return;
      event.preventDefault(); // nor is an answer to be stopped by it
      dialog.close();
    });
    return dialog;
  }

  private closed(): void {
    this.host.button.setAttribute("aria-expanded", "false");
    this.search.value = "";
    this.index = null;
    this.status.clear();
  }

  /** Over the chat the panel gives way to it; beside it there is no need to. */
  private choose(run: () => void): void {
    if (this.dialog.matches(":modal")) this.dialog.close();
    run();
  }

  private async act(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { message, hint } = asTrouble(error);
      this.status.fail(message, hint);
    }
  }

  private async refresh(): Promise<void> {
    if (this.host.notKept !== null) return;
    const refresh = ++this.refreshes;
    const query = this.search.value.trim();
    const all = await this.host.store.list();
    const found = query === "" ? null : (await this.indexed(all)).find(query);
    // Somebody typed on, or another tab wrote, while this was looked up.
    if (refresh !== this.refreshes) return;
    const summaries = found ? all.filter(({ id }) => found.has(id)) : all;
    const snippets = found ?? new Map<string, Snippet | null>();
    this.list.show({ summaries, snippets, ...this.context() }, new Date());
    if (found) this.status.say(panels.history.found(summaries.length));
    else this.status.say(all.length === 0 ? panels.history.none : "");
  }

  private indexed(all: Summary[]): Promise<Index> {
    if (this.index) return this.index;
    if (all.length > BATCH) this.status.say(panels.history.searching);
    this.index = this.makeIndex();
    return this.index;
  }

  /** In portions, so that an answer that is shown meanwhile does not falter. */
  private async makeIndex(): Promise<Index> {
    const index = new Index();
    for (const [place, conversation] of (await this.host.store.all()).entries()) {
      index.set(conversation);
      if (place % BATCH === BATCH - 1) await new Promise((resolve) => setTimeout(resolve));
    }
    return index;
  }

  private hear(news: News): void {
    if (!this.dialog.open || news.type === "release") return;
    this.news.push(news);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.act(() => this.catchUp(this.news.splice(0)));
    }, PAUSE);
  }

  private async catchUp(news: Heard[]): Promise<void> {
    const ids = new Set(news.flatMap((each) => (each.type === "cleared" ? [] : each.ids)));
    if (news.some(({ type }) => type === "cleared")) this.index = null;
    await this.reindex(ids);
    const grew = news.every((each) => each.type === "changed" && each.written === true);
    if (!grew || !(await this.renew(ids))) await this.refresh();
  }

  /** Shows anew what was written, if that is all there is to do. */
  private async renew(ids: Set<string>): Promise<boolean> {
    if (this.search.value.trim() !== "") return false;
    const written = await Promise.all([...ids].map((id) => this.host.store.summary(id)));
    const now = new Date();
    return written.every((summary) => summary && this.list.renew(summary, this.context(), now));
  }

  private context(): Context {
    const { host } = this;
    return { current: host.current(), modelName: (folder) => host.modelName(folder) };
  }

  private async reindex(ids: Set<string>): Promise<void> {
    const index = await this.index;
    if (!index) return;
    for (const id of ids) {
      const found = await this.host.store.read(id);
      if (found) index.set(found);
      else index.remove(id);
    }
  }

  private async rename(id: string, title: string): Promise<void> {
    const found = await this.host.store.read(id);
    if (found) await this.host.store.rename(id, title, titleOf(found.turns));
    await this.refresh();
    this.list.focus(id);
  }

  private async exportOne(id: string, ending: "md" | "json"): Promise<void> {
    const found = await this.host.store.read(id);
    if (found) this.export([found], ending);
  }

  private export(conversations: Conversation[], ending: "md" | "json"): void {
    const now = new Date();
    const text = ending === "json" ? toJson(conversations, now) : toMarkdown(conversations);
    download(fileName(conversations, now, ending), ending, text);
  }

  private async import(file: File): Promise<void> {
    const imported = fromJson(await readText(file));
    const { added, known } = merge(await this.host.store.all(), imported);
    await this.host.store.put(added);
    const told = [panels.history.imported(added.length)];
    if (known > 0) told.push(panels.history.known(known));
    this.status.hold(told.join(" "));
    await this.refresh();
  }

  /** Gone from the database at once; until the panel closes it can be put back from memory. */
  private async delete(id: string): Promise<void> {
    const { store } = this.host;
    const found = await store.read(id);
    const wasOpen = id === this.host.current();
    await store.remove(id);
    await this.refresh();
    if (!found) return;
    const title = found.summary.title || panels.history.untitled;
    this.status.offer(panels.history.removed(title), panels.history.undo, () =>
      this.act(async () => {
        await store.put([found]);
        if (wasOpen) this.host.open(id);
        await this.refresh();
        this.status.hold(panels.history.putBack(title));
        this.list.focus(id);
      }),
    );
  }

  private async deleteAll(): Promise<void> {
    await this.host.store.clear();
    this.status.hold(panels.history.allRemoved);
    await this.refresh();
  }
}
