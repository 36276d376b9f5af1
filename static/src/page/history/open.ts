/** The button that opens the panel of conversations; the panel is fetched with the first click. */

import type { Conversations } from "../conversations";
import { find } from "../dom";
import type { HistoryPanel } from "./panel";

export interface HistoryEvents {
  /** Somebody chose a conversation, or a new one. */
  chosen(done: Promise<void>): void;
  modelName(folder: string): string;
  failed(error: unknown): void;
}

export class HistoryButton {
  private readonly button = find("history", HTMLButtonElement);
  private panel: Promise<HistoryPanel> | null = null;

  constructor(
    private readonly conversations: Conversations,
    private readonly events: HistoryEvents,
  ) {
    this.button.addEventListener("click", () => void this.toggle());
  }

  /** Another conversation is open now. */
  moved(): void {
    void this.panel?.then((panel) => panel.moved());
  }

  private async toggle(): Promise<void> {
    try {
      await this.conversations.ready;
      this.panel ??= this.load();
      await (await this.panel).toggle();
    } catch (error) {
      this.panel = null; // a failed import may be tried again
      this.events.failed(error);
    }
  }

  private async load(): Promise<HistoryPanel> {
    const { HistoryPanel } = await import("./panel");
    const { conversations, events } = this;
    return new HistoryPanel({
      store: conversations.store,
      notKept: conversations.notKept,
      button: this.button,
      current: () => conversations.summary.id,
      open: (id) => events.chosen(conversations.open(id)),
      anew: () => events.chosen(conversations.anew()),
      modelName: (folder) => events.modelName(folder),
    });
  }
}
