/** The conversation as it looks. */

import { rate } from "./answer";
import type { Turn } from "./conversation";
import { copyOnClick } from "./copy-button";
import { element, iconButton } from "./dom";
import { GrowingMarkdown } from "./growing-markdown";
import { words } from "./words";

export class MessageList {
  private readonly views = new Map<Turn, View>();

  constructor(
    private readonly list: HTMLElement,
    private readonly onRegenerate: () => void,
  ) {}

  /** Shows exactly these turns. */
  show(turns: Turn[]): void {
    this.views.clear();
    this.list.replaceChildren();
    for (const turn of turns) this.append(turn);
    this.refresh();
  }

  append(turn: Turn): void {
    const view =
      turn.role === "user" ? questionView(turn) : new AnswerView(turn, this.onRegenerate);
    this.views.set(turn, view);
    this.list.append(view.node);
  }

  /** Text was added to a turn that is being answered. */
  stream(turn: Turn, stats: string): void {
    const view = this.views.get(turn);
    if (view instanceof AnswerView) view.stream(stats);
  }

  /** Brings marks and buttons up to date, after a turn ended or some were dropped. */
  refresh(busy = false): void {
    const turns = [...this.views.keys()];
    for (const [turn, view] of this.views) {
      view.node.classList.toggle("dropped", turn.dropped === true);
      view.node.dataset.dropped = words.chat.dropped;
      if (view instanceof AnswerView)
        view.settle(busy && turn === turns.at(-1), turn === turns.at(-1));
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
  private readonly text = new GrowingMarkdown(this.body);
  /** The text that is shown for good. */
  private whole: string | null = null;
  private readonly stats = element("span", { class: "stats", testid: "stats" });
  private readonly note = element("p", { class: "finish-note", testid: "finish-note" });
  private readonly copy = iconButton("copy", words.chat.copyAnswer, "copy");
  private readonly regenerate = iconButton("again", words.chat.regenerate, "regenerate");
  private readonly tools: HTMLElement;

  constructor(
    private readonly turn: Turn,
    onRegenerate: () => void,
  ) {
    copyOnClick(this.copy, () => turn.content);
    this.regenerate.addEventListener("click", onRegenerate);
    this.tools = element("div", { class: "tools", children: [this.copy, this.regenerate] });
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

  stream(stats: string): void {
    this.whole = null;
    this.text.grow(this.turn.content);
    this.stats.textContent = stats;
  }

  settle(busy: boolean, last: boolean): void {
    const { content, finish, stats } = this.turn;
    this.node.classList.toggle("busy", busy);
    this.node.dataset.state = busy ? "busy" : "done";
    this.tools.hidden = busy;
    this.copy.hidden = content === "" || !navigator.clipboard;
    this.regenerate.hidden = !last;
    if (busy) return;
    if (this.whole !== content) this.text.end(content);
    this.whole = content;
    this.note.textContent = finishNote(content, finish);
    this.stats.textContent = stats ? summary(stats) : "";
  }
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
    rate: rate(stats.completionTokens, stats.decodeSeconds),
    prompt: stats.promptTokens,
    reused: stats.cachedTokens,
    prefill: stats.prefillSeconds,
  });
}
