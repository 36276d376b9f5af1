/** The conversation as it looks. */

import { tokensPerSecond } from "../device/rate";
import { AnswerText } from "./answer-text";
import type { Turn } from "./conversation";
import { copyOnClick } from "./copy-button";
import { element, iconButton } from "./dom";
import { words } from "./words";

export interface MessageEvents {
  regenerate(): void;
  /** Go on with an answer that was cut short. */
  resume(): void;
}

/** What can be done about the last answer. */
interface Standing {
  busy: boolean;
  last: boolean;
  /** There is a model that may answer. */
  allowed: boolean;
  /** Another tab is at it: what looks unfinished may be going on there. */
  elsewhere: boolean;
}

export class MessageList {
  private readonly views = new Map<Turn, View>();
  private allowed = false;
  private elsewhere = false;

  constructor(
    private readonly list: HTMLElement,
    private readonly events: MessageEvents,
  ) {}

  allow(allowed: boolean, elsewhere: boolean): void {
    this.allowed = allowed;
    this.elsewhere = elsewhere;
    this.refresh();
  }

  /** Shows exactly these turns. */
  show(turns: Turn[]): void {
    this.views.clear();
    this.list.replaceChildren();
    for (const turn of turns) this.append(turn);
    this.refresh();
  }

  append(turn: Turn): void {
    const view = turn.role === "user" ? questionView(turn) : new AnswerView(turn, this.events);
    this.views.set(turn, view);
    this.list.append(view.node);
  }

  /** Text was added to a turn that is being answered. */
  stream(turn: Turn, stats: string): void {
    const view = this.views.get(turn);
    if (view instanceof AnswerView) view.stream(stats);
  }

  /** An answer that had come to its end goes on. */
  redraw(turn: Turn): void {
    const view = this.views.get(turn);
    if (view instanceof AnswerView) view.redraw();
  }

  /** Brings marks and buttons up to date, after a turn ended or some were dropped. */
  refresh(busy = false): void {
    const newest = [...this.views.keys()].at(-1);
    const { allowed, elsewhere } = this;
    for (const [turn, view] of this.views) {
      view.node.classList.toggle("dropped", turn.dropped === true);
      view.node.dataset.dropped = words.chat.dropped;
      const last = turn === newest;
      if (view instanceof AnswerView) view.settle({ busy: busy && last, last, allowed, elsewhere });
    }
  }
}

interface View {
  node: HTMLElement;
}

function questionView(turn: Turn): View {
  const node = element("li", {
    class: "message question",
    testid: "message-user",
    children: [
      element("h2", { class: "hidden", text: words.chat.you }),
      element("div", { class: "bubble", text: turn.content }),
    ],
  });
  return { node };
}

class AnswerView implements View {
  readonly node: HTMLElement;
  private readonly body = element("div", { class: "answer-body", testid: "answer" });
  private text = new AnswerText(this.body);
  /** The text that is shown for good. */
  private whole: string | null = null;
  private readonly stats = element("span", { class: "stats", testid: "stats" });
  private readonly note = element("p", { class: "finish-note", testid: "finish-note" });
  private readonly copy = iconButton("copy", words.chat.copyAnswer, "copy");
  private readonly regenerate = iconButton("again", words.chat.regenerate, "regenerate");
  private readonly resume = element("button", {
    class: "button quiet small",
    text: words.chat.continue,
    testid: "continue",
    attributes: { type: "button" },
  });
  private readonly tools: HTMLElement;

  constructor(
    private readonly turn: Turn,
    events: MessageEvents,
  ) {
    copyOnClick(this.copy, () => turn.content);
    this.regenerate.addEventListener("click", () => events.regenerate());
    this.resume.addEventListener("click", () => events.resume());
    const tools = [this.copy, this.regenerate, this.resume];
    this.tools = element("div", { class: "tools", children: tools });
    this.node = element("li", {
      class: "message answer",
      testid: "message-assistant",
      children: [
        element("h2", { class: "hidden", text: words.chat.answer }),
        this.body,
        this.note,
        element("div", { class: "answer-foot", children: [this.tools, this.stats] }),
      ],
    });
  }

  /** What was drawn as an end was none. */
  redraw(): void {
    this.body.replaceChildren();
    this.text = new AnswerText(this.body);
    this.text.grow(this.turn.content);
    this.whole = null;
  }

  stream(stats: string): void {
    this.whole = null;
    this.text.grow(this.turn.content);
    this.stats.textContent = stats;
  }

  settle({ busy, last, allowed, elsewhere }: Standing): void {
    const { content, finish, stats } = this.turn;
    this.node.classList.toggle("busy", busy);
    this.tools.hidden = busy;
    this.copy.hidden = content === "" || !navigator.clipboard;
    this.regenerate.hidden = !last || !allowed;
    this.resume.hidden = !last || !allowed || content === "" || finish === "stop";
    if (busy) {
      this.node.dataset.state = "busy";
      return;
    }
    if (this.whole !== content || this.node.dataset.state !== "done") this.end(content);
    const goesOn = elsewhere && finish === undefined;
    this.note.textContent = goesOn ? "" : finishNote(content, finish);
    this.stats.textContent = stats ? summary(stats) : "";
  }

  private end(content: string): void {
    this.whole = content;
    this.text.end(content, () => {
      this.node.dataset.state = "done";
    });
  }
}

/** What is said of an answer that has come to its end; of what failed at once a notice tells. */
export function ending({ content, finish }: Turn): string {
  if (content === "" && finish === undefined) return "";
  return finishNote(content, finish) || words.chat.complete;
}

function finishNote(content: string, finish: Turn["finish"]): string {
  const { stopped, cutOff, interrupted, noAnswer } = words.chat;
  if (finish === undefined) return content ? interrupted : noAnswer;
  return { stop: "", abort: stopped, length: cutOff }[finish];
}

/** "42 tokens · 12.3 tok/s · prompt 120 (64 reused) in 0.8 s". */
export function summary(stats: NonNullable<Turn["stats"]>): string {
  return words.chat.stats({
    completion: stats.completionTokens,
    rate: tokensPerSecond(stats.completionTokens, stats.decodeSeconds),
    prompt: stats.promptTokens,
    reused: stats.cachedTokens,
    prefill: stats.prefillSeconds,
  });
}
