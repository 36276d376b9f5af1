/** The conversation on the page: questions, answers, and what happens when the context is full. */

import { Announcer } from "./announce";
import { answer } from "./answer";
import { loadMarkdown } from "./answer-text";
import { dropOldest, follow, type Turn, toMessages, upToQuestion } from "./conversation";
import { find, paced } from "./dom";
import { type Answerer, asTrouble, type ChatMessage, type Trouble } from "./engine";
import { ending, MessageList } from "./messages";
import { requestOptions, type Settings } from "./settings";
import { type Recorder, unrecorded } from "./store/recorder";

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

type Request = Parameters<typeof answer>[1];

/** What was asked for: an answer that follows the first `place` turns. */
interface Asked {
  turn: Turn;
  place: number;
  run: Run;
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
  /** The last request was too long, and got no answer that could be seen. */
  private tooLong = false;

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
  outgoing(turns = this.turns): ChatMessage[] {
    return toMessages(this.settings().system, turns);
  }

  send(text: string): void {
    if (this.running || this.readOnly) return;
    this.forgetUnanswered();
    this.add({ role: "user", content: text });
    if (this.engine) this.run(this.add({ role: "assistant", content: "" }), this.turns.length);
  }

  /** Resolves when the answer has ended, and what there is of it is on its way to the record. */
  stop(): Promise<void> {
    this.running?.controller.abort();
    return this.running?.done ?? Promise.resolve();
  }

  /** Answers the last question anew; what followed it stays until there is something else. */
  regenerate(): void {
    const place = upToQuestion(this.turns);
    if (!this.mayAnswer || place === 0) return;
    const turn: Turn = { role: "assistant", content: "" };
    this.messages.show([...this.turns.slice(0, place), turn]);
    this.run(turn, place);
  }

  /** Goes on with an answer that was cut short. */
  resume(): void {
    const last = this.turns.at(-1);
    if (!this.mayAnswer || last?.role !== "assistant") return;
    // The end of an answer may be in the middle of white space, which templates drop.
    last.content = last.content.trimEnd();
    if (last.content === "") this.regenerate();
    else this.goOn(last);
  }

  /** Shows a conversation, which `record` writes down from now on. */
  open(record: Recorder, readOnly: boolean): void {
    this.record = record;
    this.readOnly = readOnly;
    this.tooLong = false;
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
    const { engine, record } = this;
    if (!engine || this.readOnly) return;
    const { turns } = record;
    const limit = (engine.info.context ?? Number.POSITIVE_INFINITY) * (1 - ROOM);
    do {
      if (!dropOldest(turns)) break;
      // Where nobody can count, one exchange at a time has to do.
    } while (((await engine.countTokens(this.outgoing(turns))) ?? 0) > limit);
    if (record !== this.record) return; // another conversation is on the page
    const last = turns.at(-1);
    if (this.tooLong || last?.content === "" || last?.role === "user") this.regenerate();
    else this.messages.refresh();
    this.changed();
  }

  private get turns(): Turn[] {
    return this.record.turns;
  }

  private get mayAnswer(): boolean {
    return this.engine !== null && this.running === null && !this.readOnly;
  }

  /** Goes on with an answer that has begun. */
  private goOn(turn: Turn): void {
    this.messages.redraw(turn);
    delete turn.finish;
    delete turn.stats;
    this.run(turn, this.turns.length, { continue_final_message: true });
  }

  /** Answers the first `place` turns with `turn`, which follows them from its first words on. */
  private run(turn: Turn, place: number, more: Partial<Request> = {}): void {
    const { engine } = this;
    if (!engine) return;
    this.events.answering();
    this.tooLong = false;
    const controller = new AbortController();
    const request = {
      ...requestOptions(this.settings()),
      messages: this.outgoing(this.turns.slice(0, place)),
      ...more,
      signal: controller.signal,
    };
    const run = { controller, done: Promise.resolve() };
    this.running = run;
    const done = this.answer(engine, request, { turn, place, run });
    run.done = done.catch((error) => this.events.trouble(asTrouble(error))); // a fault of the view
  }

  private async answer(engine: Answerer, request: Request, asked: Asked): Promise<void> {
    const { record } = this;
    try {
      this.events.busy(true);
      this.messages.refresh(true);
      await this.stream(engine, request, asked, record);
    } catch (error) {
      this.fail(asTrouble(error), asked.turn);
    } finally {
      void record.save();
      this.settle(asked, record);
    }
  }

  private async stream(
    engine: Answerer,
    request: Request,
    { turn, place }: Asked,
    record: Recorder,
  ): Promise<void> {
    const { turns } = record;
    let stats = "";
    this.announcer.begin(turn.content);
    const draw = paced(() => {
      if (turn.finish !== undefined) return;
      this.messages.stream(turn, stats);
      this.events.grown();
      this.announcer.grow(turn.content);
    });
    await answer(engine, request, turn, (latest) => {
      stats = latest;
      if (!turns.includes(turn)) turns.splice(place, turns.length, turn);
      draw();
      record.saveSoon();
    });
    if (this.isFull(turn)) this.events.overflow(this.canDrop());
  }

  private fail(trouble: Trouble, turn: Turn): void {
    if (trouble.code === "aborted") turn.finish = "abort";
    else if (trouble.code === "context-overflow") {
      this.tooLong = !this.turns.includes(turn);
      this.events.overflow(this.canDrop());
    } else this.events.trouble(trouble);
  }

  private settle({ turn, run }: Asked, record: Recorder): void {
    if (this.running === run) this.running = null;
    this.events.busy(false);
    // An answer that belongs to a conversation already put away changes nothing that is shown.
    if (record !== this.record) return;
    if (this.turns.includes(turn)) this.messages.refresh();
    else this.messages.show(this.turns); // no word came: what it was to replace is there again
    this.announcer.end(turn.content, ending(turn));
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
