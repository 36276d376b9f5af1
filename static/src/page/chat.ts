/** The conversation: questions, answers, and what happens when the context is full. */

import { Announcer } from "./announce";
import { answer } from "./answer";
import { dropOldest, parseTurns, rewindToQuestion, type Turn, toMessages } from "./conversation";
import { find, paced } from "./dom";
import { asTrouble, type Engine, type Trouble } from "./engine";
import { MessageList } from "./messages";
import { requestOptions, type Settings } from "./settings";
import { session } from "./storage";
import { words } from "./words";

const STORE = "webkiln.conversation";

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
}

export class Chat {
  private readonly announcer = new Announcer(find("announcer", HTMLElement));
  private readonly messages = new MessageList(find("log", HTMLElement), () => this.regenerate());
  private turns = parseTurns(session.read(STORE));
  private engine: Engine | null = null;
  private running: AbortController | null = null;

  constructor(
    private readonly settings: () => Settings,
    private readonly events: ChatEvents,
  ) {
    this.messages.show(this.turns);
  }

  attach(engine: Engine | null): void {
    this.engine = engine;
    this.changed();
  }

  /** Messages as the model would get them now. */
  outgoing() {
    return toMessages(this.settings().system, this.turns);
  }

  send(text: string): void {
    if (this.running) return;
    this.forgetUnanswered();
    this.add({ role: "user", content: text });
    void this.run();
  }

  stop(): void {
    this.running?.abort();
  }

  regenerate(): void {
    if (this.running || !rewindToQuestion(this.turns)) return;
    this.messages.show(this.turns);
    void this.run();
  }

  restart(): void {
    this.stop();
    this.turns = [];
    this.messages.show(this.turns);
    this.changed();
  }

  /** Lets old turns go until a quarter of the context is free, then answers again. */
  async dropOldestAndRetry(): Promise<void> {
    if (!this.engine) return;
    const limit = this.engine.info.context * (1 - ROOM);
    do {
      if (!dropOldest(this.turns)) break;
    } while ((await this.engine.countTokens(this.outgoing())) > limit);
    const unanswered = this.turns.at(-1)?.content === "" || this.turns.at(-1)?.role === "user";
    if (unanswered) this.regenerate();
    else this.messages.refresh();
    this.changed();
  }

  private async run(): Promise<void> {
    const { engine } = this;
    if (!engine) return;
    const controller = new AbortController();
    const request = {
      ...requestOptions(this.settings()),
      messages: this.outgoing(),
      signal: controller.signal,
    };
    const turn = this.add({ role: "assistant", content: "" });
    this.running = controller;
    this.events.busy(true);
    this.messages.refresh(true);
    try {
      await this.follow(engine, request, turn);
    } catch (error) {
      this.fail(asTrouble(error), turn);
    } finally {
      this.settle(controller, turn);
    }
  }

  private async follow(
    engine: Engine,
    request: Parameters<typeof answer>[1],
    turn: Turn,
  ): Promise<void> {
    let stats = "";
    this.announcer.begin();
    const draw = paced(() => {
      if (turn.finish !== undefined) return;
      this.messages.stream(turn, stats);
      this.events.grown();
      this.announcer.grow(turn.content);
    });
    await answer(engine, request, turn, (latest) => {
      stats = latest;
      draw();
    });
    this.announcer.end(turn.content, words.chat.complete);
    if (this.isFull(turn)) this.events.overflow(this.canDrop());
  }

  private fail(trouble: Trouble, turn: Turn): void {
    if (trouble.code === "aborted") turn.finish = "abort";
    else if (trouble.code === "context-overflow") this.events.overflow(this.canDrop());
    else this.events.trouble(trouble);
  }

  private settle(controller: AbortController, turn: Turn): void {
    // An answer that belongs to a conversation already put away changes nothing.
    if (this.running === controller) this.running = null;
    this.events.busy(false);
    if (!this.turns.includes(turn)) return;
    this.messages.refresh();
    this.events.grown();
    this.changed();
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
    return used >= this.engine.info.context - 1;
  }

  private canDrop(): boolean {
    return dropOldest(this.turns.map((turn) => ({ ...turn })));
  }

  private changed(): void {
    session.write(STORE, JSON.stringify(this.turns));
    this.events.changed(this.turns);
  }
}
