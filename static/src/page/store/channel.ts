/** What the tabs of one browser tell each other about conversations. */

export type News =
  /** Renamed, imported or put back; `written`: by the tab that holds it. */
  | { type: "changed"; ids: string[]; written?: true }
  | { type: "deleted"; ids: string[] }
  | { type: "cleared" }
  /** Another tab wants to write this one: finish, and let go. */
  | { type: "release"; id: string };

type Listener = (news: News) => void;

export class Channel {
  private readonly listeners = new Set<Listener>();
  private readonly channel =
    typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("webkiln.conversations");

  constructor() {
    this.channel?.addEventListener("message", ({ data }: MessageEvent<News>) => this.hear(data));
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** To the other tabs, and to whoever listens in this one. */
  tell(news: News): void {
    this.channel?.postMessage(news);
    this.hear(news);
  }

  /** To the other tabs alone. */
  ask(news: News): void {
    this.channel?.postMessage(news);
  }

  private hear(news: News): void {
    for (const listener of this.listeners) listener(news);
  }
}
