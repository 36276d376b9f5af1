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
import { sentence } from "./notice";
import { Channel, type News } from "./store/channel";
import { type Hold, takeHold } from "./store/hold";
import { blank, TAB } from "./store/new";
import { Recorder } from "./store/recorder";
import type { Conversation } from "./store/records";
import { recover, takeOverFormer } from "./store/recover";
import type { Answering, ServerPlace, Summary } from "./store/schema";
import { ConversationStore } from "./store/store";
import { whyNot } from "./store/why-not";
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
  /** One could not be read, and is not shown. */
  failed(error: unknown): void;
}

/** What is on the page: a record, and the right to write it (null: another tab has it). */
interface Open {
  record: Recorder;
  hold: Hold | null;
}

/** What is to come on the page; `stored`: the database has it. */
interface Next {
  conversation: Conversation;
  stored: boolean;
  hold: Hold | null;
}

export class Conversations {
  readonly store = new ConversationStore(new Channel());
  /** Resolves when the tab's first conversation is open; never rejects. */
  readonly ready: Promise<void>;
  /** Why this browser keeps nothing; null: it does. */
  notKept: string | null = null;
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

  /** Its system prompt from now on; false: it has not begun, and has none of its own. */
  instructed(system: string): boolean {
    if (this.empty) return false;
    if (this.writable) this.current.record.instructed(system);
    return true;
  }

  /** It goes to that server from now on, or to none. */
  sentTo(server: ServerPlace | null): void {
    void this.current.record.sentTo(server);
  }

  /** Opens a conversation of this browser. What is open stays until the other one is read. */
  async open(id: string, push = true): Promise<void> {
    if (this.current.hold && id === this.summary.id) return;
    const visit = ++this.visit;
    try {
      const next = await this.take(id);
      if (visit === this.visit) await this.leave();
      if (visit !== this.visit) return next?.hold?.release();
      this.show(next ?? (await fresh()), visit, next ? push : false);
      if (!next) this.note.show("missing", words.conversation.missing);
    } catch (error) {
      if (visit === this.visit) await this.stay(visit, error);
      this.events.failed(error);
    }
  }

  /** An empty conversation. */
  async anew(push = true): Promise<void> {
    const visit = ++this.visit;
    await this.leave();
    const next = await fresh();
    if (visit === this.visit) this.show(next, visit, push);
    else next.hold?.release();
  }

  private async begin(): Promise<void> {
    try {
      await Promise.race([this.store.open(), pause(OPENING).then(silent)]);
    } catch (error) {
      this.notKept = whyNot(error);
      this.note.show("storage", `${words.conversation.notKept} ${this.notKept}`);
    }
    let fault: unknown = null;
    const former = await this.restore().catch((error) => {
      fault = error;
      return null;
    });
    const id = this.notKept === null ? (former ?? firstChat()) : null;
    if (id === null) await this.anew(false);
    else await this.open(id, false);
    if (fault !== null) this.events.failed(fault);
  }

  /** What closed pages left behind; the conversation that this tab kept by itself, or null. */
  private async restore(): Promise<string | null> {
    if (this.notKept !== null) return null;
    await recover(this.store);
    return takeOverFormer(this.store);
  }

  /** Reads it, and takes the right to write it unless another tab has that; null: there is none. */
  private async take(id: string): Promise<Next | null> {
    const conversation = await this.store.read(id);
    const hold = conversation && (await takeHold(id, { ifAvailable: true }));
    if (hold) return this.claim(id, hold);
    return conversation && { conversation, stored: true, hold };
  }

  private async claim(id: string, hold: Hold): Promise<Next | null> {
    let conversation: Conversation | null = null;
    try {
      conversation = await this.store.claim(id, TAB);
    } finally {
      if (!conversation) hold.release();
    }
    return conversation && { conversation, stored: true, hold };
  }

  /** Ends what is open: its answer stops and is written, and other tabs may have it. */
  private async leave(): Promise<void> {
    this.waiting.abort();
    const { record, hold } = this.current;
    this.current = { record, hold: null };
    const left = this.chat
      .stop()
      .then(() => record.save())
      .then(() => {
        record.end();
        hold?.release();
        return hold?.ended;
      });
    await Promise.race([left, pause(STOPPING)]);
  }

  /** Reading another one failed: what is open goes on, as far as it is this tab's. */
  private async stay(visit: number, error: unknown): Promise<void> {
    const { record, hold } = this.current;
    const { id } = record.summary;
    // The address of the tab's first conversation stays: reloading tries again.
    if (hold || !this.empty) this.name(this.empty ? null : id, false);
    if (hold) return;
    if (this.empty) {
      this.show(await fresh(), visit, null);
      // A notice goes when the model begins to load; this stays as long as the conversation does.
      this.note.show("missing", `${sentence(words.conversation.unread)} ${whyNot(error)}`);
      return;
    }
    this.chat.open(record, true);
    this.events.opened();
    void this.waitFor(id, visit);
  }

  /** `push` makes a step for "back"; null leaves the address as it is. */
  private show(next: Next, visit: number, push: boolean | null): void {
    this.put(next);
    const { id } = next.conversation.summary;
    if (push !== null) this.name(next.stored ? id : null, push);
    if (!next.hold) void this.waitFor(id, visit);
  }

  /** In the address; what it names already stays if this page just cannot read it. */
  private name(id: string | null, push: boolean): void {
    if (this.notKept === null) setAddress(id, push);
  }

  /** Puts it on the page. */
  private put({ conversation, stored, hold }: Next): void {
    const record = this.recorder(conversation, stored);
    this.current = { record, hold };
    this.log.dataset.saved = "true";
    this.note.hide("missing");
    this.note.hide("elsewhere");
    this.chat.open(record, hold === null);
    void hold?.ended.then(() => {
      if (this.current.hold === hold) void this.lost(record);
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
    if (visit !== this.visit) hold?.release();
    if (!hold || visit !== this.visit) return;
    try {
      const next = await this.claim(id, hold);
      if (visit !== this.visit) hold.release();
      else if (next) this.put(next);
    } catch (error) {
      this.events.failed(error);
    }
  }

  private recorder(conversation: Conversation, stored: boolean): Recorder {
    const store = this.notKept === null ? this.store : null;
    conversation.summary.writer = TAB;
    const record: Recorder = new Recorder(store, conversation, stored, {
      saved: (saved) => {
        if (record === this.current.record) this.showSaved(saved);
      },
      lost: () => void this.lost(record),
      failed: (error) =>
        this.note.show("storage", `${words.conversation.notSaved} ${whyNot(error)}`),
    });
    return record;
  }

  private showSaved(saved: boolean): void {
    this.log.dataset.saved = String(saved);
    if (saved) this.note.hide("storage");
    else setAddress(this.summary.id, false);
  }

  /** Another tab took it over, or deleted it: what there is of it now is shown. */
  private async lost(record: Recorder): Promise<void> {
    const { hold } = this.current;
    if (record !== this.current.record) return;
    record.end();
    this.current = { record, hold: null };
    hold?.release();
    await hold?.ended;
    if (record === this.current.record) await this.open(record.summary.id, false);
  }

  /** Another tab asks for it: it is shown here as that tab goes on with it. */
  private async letGo(id: string): Promise<void> {
    const visit = ++this.visit;
    await this.leave();
    if (visit === this.visit) await this.open(id, false);
  }

  private hear(news: News): void {
    const { id } = this.summary;
    if (news.type === "cleared") void this.gone();
    else if (news.type === "release") {
      if (news.id === id && this.current.hold) void this.letGo(id);
    } else if (!news.ids.includes(id)) return;
    else if (news.type === "deleted") void this.gone();
    else this.refresh(id, news.written === true).catch((error) => this.events.failed(error));
  }

  /** What is open was deleted. */
  private async gone(): Promise<void> {
    this.current.record.end();
    if (this.notKept === null) await this.anew(false);
  }

  /** It was written by the tab that holds it, or renamed or imported by any. */
  private async refresh(id: string, written: boolean): Promise<void> {
    if (this.current.hold && written) return;
    const found = await this.store.read(id);
    if (!found || id !== this.summary.id) return;
    const { title, named, writer } = found.summary;
    Object.assign(this.summary, { title, named });
    if (!this.current.hold) this.chat.follow(found.turns);
    else if (writer !== TAB) await this.lost(this.current.record);
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

async function fresh(): Promise<Next> {
  const conversation = blank();
  const hold = await takeHold(conversation.summary.id, { ifAvailable: true });
  return { conversation, stored: false, hold };
}

function silent(): never {
  throw new WebkilnError("storage", words.conversation.silent, words.conversation.silentHint);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
