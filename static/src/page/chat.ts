/** The conversation on the page: questions, answers, and what happens when the context is full. */

import { Announcer } from "./announce";
import { answer } from "./answer";
import { loadMarkdown } from "./answer-text";
import { dropOldest, follow, rewindToQuestion, type Turn, toMessages } from "./conversation";
import { find, paced } from "./dom";
import { type Answerer, asTrouble, type Trouble } from "./engine";
import { MessageList } from "./messages";
import { requestOptions, type Settings } from "./settings";
import { type Recorder, unrecorded } from "./store/recorder";
import { words } from "./words";

/** Share of the context that dropping old turns keeps free for the next answer. */
const ROOM = 0.25;

export interface ChatEvents {
  busy(busy: boolean): void;
  trouble(trouble: Trouble): void;
  /** The context is full; `canDrop` tells whether there are older turns to let go. */
  overflow(canDrop: boolean): void;
  changed(turns: Turn[]): void;
  /** An answer shows more than before. */
  grown(): void;
  /** A question is about to be answered: who answers it may be noted. */
  answering(): void;
}

/** An answer under way. */
interface Run {
  controller: AbortController;
  done: Promise<void>;
}

export class Chat {
  private readonly announcer = new Announcer(find("announcer", HTMLElement));
  private readonly messages = new MessageList(find("log", HTMLElement), {
    regenerate: () => this.regenerate(),
    resume: () => this.resume(),
  });
  private engine: Answerer | null = null;
  private running: Run | null = null;
  private record: Recorder = unrecorded();
  private readOnly = false;

  constructor(
    private readonly settings: () => Settings,
    private readonly events: ChatEvents,
  ) {}

  /** Who answers from now on. */
  attach(engine: Answerer | null): void {
    if (engine) void loadMarkdown(); // now, so that the network may go
    this.engine = engine;
    this.allow();
    this.changed();
  }

  /** Messages as the model would get them now. */
  outgoing() {
    return toMessages(this.settings().system, this.turns);
  }

  send(text: string): void {
    if (this.running || this.readOnly) return;
    this.forgetUnanswered();
    this.add({ role: "user", content: text });
    this.run();
  }

  /** Resolves when the answer has ended, and what there is of it is on its way to the record. */
  stop(): Promise<void> {
    this.running?.controller.abort();
    return this.running?.done ?? Promise.resolve();
  }

  regenerate(): void {
    if (!this.mayAnswer || !rewindToQuestion(this.turns)) return;
    this.messages.show(this.turns);
    this.run();
  }

  /** Goes on with an answer that was cut short. */
  resume(): void {
    const last = this.turns.at(-1);
    if (!this.mayAnswer || last?.role !== "assistant") return;
    // The end of an answer may be in the middle of white space, which templates drop.
    last.content = last.content.trimEnd();
    if (last.content === "") this.regenerate();
    else this.run(last);
  }

  /** Shows a conversation, which `record` writes down from now on. */
  open(record: Recorder, readOnly: boolean): void {
    this.record = record;
    this.readOnly = readOnly;
    this.messages.show(this.turns);
    this.allow();
    this.events.changed(this.turns);
  }

  /** Another tab went on with the conversation that is shown. */
  follow(turns: Turn[]): void {
    const growing = follow(this.turns, turns);
    if (growing) this.messages.redraw(growing);
    else this.messages.show(this.turns);
    this.messages.refresh();
    this.events.changed(this.turns);
  }

  /** Lets old turns go until a quarter of the context is free, then answers again. */
  async dropOldestAndRetry(): Promise<void> {
    if (!this.engine || this.readOnly) return;
    const limit = (this.engine.info.context ?? Number.POSITIVE_INFINITY) * (1 - ROOM);
    do {
      if (!dropOldest(this.turns)) break;
      // Where nobody can count, one exchange at a time has to do.
    } while (((await this.engine.countTokens(this.outgoing())) ?? 0) > limit);
    const unanswered = this.turns.at(-1)?.content === "" || this.turns.at(-1)?.role === "user";
    if (unanswered) this.regenerate();
    else this.messages.refresh();
    this.changed();
  }

  private get turns(): Turn[] {
    return this.record.turns;
  }

  private get mayAnswer(): boolean {
    return this.engine !== null && this.running === null && !this.readOnly;
  }

  /** Answers the last question anew, or goes on with `begun`. */
  private run(begun?: Turn): void {
    const { engine } = this;
    if (!engine) return;
    this.events.answering();
    const controller = new AbortController();
    const request = {
      ...requestOptions(this.settings()),
      messages: this.outgoing(),
      ...(begun && { continue_final_message: true }),
      signal: controller.signal,
    };
    const turn = begun ?? this.add({ role: "assistant", content: "" });
    if (begun) this.messages.redraw(begun);
    delete turn.finish;
    delete turn.stats;
    const run = { controller, done: Promise.resolve() };
    this.running = run;
    this.events.busy(true);
    this.messages.refresh(true);
    run.done = this.answer(engine, request, turn, run);
  }

  private async answer(
    engine: Answerer,
    request: Parameters<typeof answer>[1],
    turn: Turn,
    run: Run,
  ): Promise<void> {
    const { record } = this;
    try {
      await this.stream(engine, request, turn, record);
    } catch (error) {
      this.fail(asTrouble(error), turn);
    } finally {
      void record.save();
      this.settle(run, turn);
    }
  }

  private async stream(
    engine: Answerer,
    request: Parameters<typeof answer>[1],
    turn: Turn,
    record: Recorder,
  ): Promise<void> {
    let stats = "";
    this.announcer.begin(turn.content.length);
    const draw = paced(() => {
      if (turn.finish !== undefined) return;
      this.messages.stream(turn, stats);
      this.events.grown();
      this.announcer.grow(turn.content);
    });
    await answer(engine, request, turn, (latest) => {
      stats = latest;
      draw();
      record.saveSoon();
    });
    this.announcer.end(turn.content, words.chat.complete);
    if (this.isFull(turn)) this.events.overflow(this.canDrop());
  }

  private fail(trouble: Trouble, turn: Turn): void {
    if (trouble.code === "aborted") turn.finish = "abort";
    else if (trouble.code === "context-overflow") this.events.overflow(this.canDrop());
    else this.events.trouble(trouble);
  }

  private settle(run: Run, turn: Turn): void {
    if (this.running === run) this.running = null;
    this.events.busy(false);
    // An answer that belongs to a conversation already put away changes nothing that is shown.
    if (!this.turns.includes(turn)) return;
    this.messages.refresh();
    this.events.grown();
    this.events.changed(this.turns);
  }

  private add(turn: Turn): Turn {
    this.turns.push(turn);
    this.messages.append(turn);
    this.changed();
    return turn;
  }

  /** A question whose answer failed is not repeated to the model; templates want turns to alternate. */
  private forgetUnanswered(): void {
    const last = this.turns.at(-1);
    if (last?.role !== "assistant" || last.content !== "") return;
    for (const turn of this.turns.slice(-2)) turn.dropped = true;
    this.messages.refresh();
  }

  private isFull(turn: Turn): boolean {
    if (turn.finish !== "length" || !turn.stats || !this.engine) return false;
    const used = turn.stats.promptTokens + turn.stats.completionTokens;
    return used >= (this.engine.info.context ?? Number.POSITIVE_INFINITY) - 1;
  }

  private canDrop(): boolean {
    return dropOldest(this.turns.map((turn) => ({ ...turn })));
  }

  private allow(): void {
    this.messages.allow(this.engine !== null && !this.readOnly, this.readOnly);
  }

  private changed(): void {
    void this.record.save();
    this.events.changed(this.turns);
  }
}
