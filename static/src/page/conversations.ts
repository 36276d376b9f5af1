/**
 * Which conversation is open, and who may write it.
 *
 * One tab writes a conversation at a time. Two that wrote the same one would need their answers
 * merged, in an order in which no model was given them; so a second tab shows it, follows it, and
 * takes it over when asked to.
 */

import { WebkilnError } from "../engine/api";
import { addressedChat, firstChat, setAddress } from "./address";
import type { Chat } from "./chat";
import type { ChatNote } from "./chat-note";
import { find } from "./dom";
import { asTrouble, type Trouble } from "./engine";
import { Channel, type News } from "./store/channel";
import { type Hold, takeHold } from "./store/hold";
import { blank, TAB } from "./store/new";
import { Recorder } from "./store/recorder";
import type { Conversation } from "./store/records";
import { recover, takeOverFormer } from "./store/recover";
import type { Answering, ServerPlace, Summary } from "./store/schema";
import { ConversationStore } from "./store/store";
import { words } from "./words";

/** Milliseconds that another tab has to let go; one that sleeps does not answer. */
const PATIENCE = 2000;

/** Milliseconds that an answer has to stop before the next conversation is shown. */
const STOPPING = 1000;

/** Milliseconds for the database to open: some browsers now and then never say whether it does. */
const OPENING = 5000;

export interface ConversationEvents {
  /** Another conversation is shown. */
  opened(): void;
  trouble(trouble: Trouble): void;
}

/** What is on the page: a record, and the right to write it (null: another tab has it). */
interface Open {
  record: Recorder;
  hold: Hold | null;
}

export class Conversations {
  readonly store = new ConversationStore(new Channel());
  /** Resolves when the tab's first conversation is open; never rejects. */
  readonly ready: Promise<void>;
  /** False where this browser keeps nothing. */
  kept = true;
  private readonly log = find("log", HTMLElement);
  private current: Open = { record: this.recorder(blank(), false), hold: null };
  private waiting = new AbortController();
  /** Counts what was opened: whoever comes back late finds another number. */
  private visit = 0;

  constructor(
    private readonly chat: Chat,
    private readonly note: ChatNote,
    private readonly events: ConversationEvents,
  ) {
    this.store.channel.listen((news) => this.hear(news));
    addEventListener("popstate", () => this.arrive());
    addEventListener("hashchange", () => this.arrive());
    addEventListener("pagehide", () => this.current.record.leave());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.current.record.save();
    });
    this.ready = this.begin();
  }

  get summary(): Summary {
    return this.current.record.summary;
  }

  get empty(): boolean {
    return this.current.record.turns.length === 0;
  }

  /** False while another tab has it. */
  get writable(): boolean {
    return this.current.hold !== null;
  }

  /** Who answers from now on. */
  answeredBy(who: Answering, system: string): void {
    this.current.record.answeredBy(who, system);
  }

  /** It goes to that server from now on, or to none. */
  sentTo(server: ServerPlace | null): void {
    void this.current.record.sentTo(server);
  }

  /** Opens a conversation of this browser. */
  async open(id: string, push = true): Promise<void> {
    const visit = await this.leave();
    try {
      const found = await this.store.read(id);
      if (visit !== this.visit) return;
      if (found) await this.show(found, true, visit, push);
      else await this.showMissing(visit);
    } catch (error) {
      this.events.trouble(asTrouble(error));
    }
  }

  /** An empty conversation. */
  async anew(push = true): Promise<void> {
    const visit = await this.leave();
    if (visit === this.visit) await this.show(blank(), false, visit, push);
  }

  private async begin(): Promise<void> {
    try {
      await Promise.race([this.store.open(), pause(OPENING).then(silent)]);
    } catch (error) {
      this.kept = false;
      const { hint } = asTrouble(error);
      this.note.show("storage", `${words.conversation.notKept} ${hint}`);
    }
    try {
      const former = this.kept ? await this.restore() : null;
      const id = former ?? firstChat();
      if (id !== null && this.kept) await this.open(id, false);
      else await this.anew(false);
    } catch (error) {
      this.events.trouble(asTrouble(error));
      await this.anew(false);
    }
  }

  private async restore(): Promise<string | null> {
    await recover(this.store);
    return takeOverFormer(this.store);
  }

  /** Ends what is open: its answer stops and is written, and other tabs may have it. */
  private async leave(): Promise<number> {
    const visit = ++this.visit;
    this.waiting.abort();
    const { record, hold } = this.current;
    this.current = { record, hold: null };
    const left = this.chat
      .stop()
      .then(() => record.save())
      .then(() => {
        record.end();
        hold?.release();
      });
    await Promise.race([left, pause(STOPPING)]);
    return visit;
  }

  private async show(
    found: Conversation,
    stored: boolean,
    visit: number,
    push: boolean,
  ): Promise<void> {
    const { id } = found.summary;
    const hold = await takeHold(id, { ifAvailable: true });
    const mine = hold && stored ? await this.store.claim(id, TAB) : found;
    if (visit !== this.visit) return hold?.release();
    this.put(mine ?? blank(), mine !== null && stored, hold);
    setAddress(stored ? id : null, push);
    if (!hold) void this.waitFor(id, visit);
  }

  private async showMissing(visit: number): Promise<void> {
    await this.show(blank(), false, visit, false);
    this.note.show("missing", words.conversation.missing);
  }

  /** Puts it on the page. */
  private put(conversation: Conversation, stored: boolean, hold: Hold | null): void {
    const record = this.recorder(conversation, stored);
    this.current = { record, hold };
    this.log.dataset.saved = "true";
    this.note.hide("missing");
    this.note.hide("elsewhere");
    this.chat.open(record, hold === null);
    void hold?.ended.then(() => {
      if (this.current.hold === hold) this.lost(record);
    });
    this.events.opened();
  }

  /** Another tab has it: it is ours as soon as that tab leaves it, or when somebody says so. */
  private async waitFor(id: string, visit: number): Promise<void> {
    const waiting = new AbortController();
    this.waiting = waiting;
    const run = () => void this.takeOver(id, visit);
    this.note.show("elsewhere", words.conversation.elsewhere, {
      label: words.conversation.takeOver,
      testid: "take-over",
      run,
    });
    await this.own(id, visit, await takeHold(id, { signal: waiting.signal }));
  }

  private async takeOver(id: string, visit: number): Promise<void> {
    this.store.channel.ask({ type: "release", id });
    await pause(PATIENCE);
    if (visit !== this.visit || this.current.hold) return;
    this.waiting.abort();
    await this.own(id, visit, await takeHold(id, { steal: true }));
  }

  private async own(id: string, visit: number, hold: Hold | null): Promise<void> {
    if (!hold) return;
    const found = visit === this.visit ? await this.store.claim(id, TAB) : null;
    if (!found || visit !== this.visit) return hold.release();
    this.put(found, true, hold);
  }

  private recorder(conversation: Conversation, stored: boolean): Recorder {
    const store = this.kept ? this.store : null;
    conversation.summary.writer = TAB;
    const record: Recorder = new Recorder(store, conversation, stored, {
      saved: (saved) => {
        if (record === this.current.record) this.showSaved(saved);
      },
      lost: () => this.lost(record),
      failed: () => this.note.show("storage", words.conversation.notSaved),
    });
    return record;
  }

  private showSaved(saved: boolean): void {
    this.log.dataset.saved = String(saved);
    if (saved) this.note.hide("storage");
    else setAddress(this.summary.id, false);
  }

  /** Another tab took it over, or deleted it: what there is of it now is shown. */
  private lost(record: Recorder): void {
    if (record !== this.current.record) return;
    record.end();
    void this.open(record.summary.id, false);
  }

  private hear(news: News): void {
    const { id } = this.summary;
    if (news.type === "cleared") void this.gone();
    else if (news.type === "release") {
      if (news.id === id && this.current.hold) void this.open(id, false);
    } else if (!news.ids.includes(id)) return;
    else if (news.type === "deleted") void this.gone();
    else void this.refresh(id, news.written === true);
  }

  /** What is open was deleted. */
  private async gone(): Promise<void> {
    this.current.record.end();
    if (this.kept) await this.anew(false);
  }

  /** It was written by the tab that holds it, or renamed or imported by any. */
  private async refresh(id: string, written: boolean): Promise<void> {
    if (this.current.hold && written) return;
    const found = await this.store.read(id);
    if (!found || id !== this.summary.id) return;
    const { title, named, writer } = found.summary;
    Object.assign(this.summary, { title, named });
    if (!this.current.hold) this.chat.follow(found.turns);
    else if (writer !== TAB) this.lost(this.current.record);
  }

  private arrive(): void {
    const id = addressedChat(location.hash);
    const shown = this.empty ? null : this.summary.id;
    // Other fragments, of the link to the message box, name a place on the page.
    if (id === null && location.hash !== "") setAddress(shown, false);
    else if (id === null && shown !== null) void this.anew(false);
    else if (id !== null && id !== this.summary.id) void this.open(id, false);
  }
}

function silent(): never {
  throw new WebkilnError("storage", words.conversation.silent, words.conversation.silentHint);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
