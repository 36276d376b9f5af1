/**
 * The last rung: a server that the person names answers this conversation. Nothing chooses it but
 * a person in its dialog, and as long as it is on, header and message box say so.
 */

import { find } from "./dom";
import type { Answerer, ServerTrouble } from "./engine";
import type { Notice } from "./notice";
import type { Chosen, ServerDialog } from "./server/dialog";
import type { ServerPlace } from "./store/schema";
import { words } from "./words";

export interface LastRungEvents {
  /** Somebody chose a server for this conversation, or ended it. */
  chosen(server: ServerPlace | null): void;
  /** Another one answers. */
  changed(): void;
}

export class LastRung {
  private readonly chip = find("server-chip", HTMLButtonElement);
  private readonly sign = find("server-sign", HTMLElement);
  private chosen: Chosen | null = null;
  /** Counts what was entered: whoever comes back late finds another number. */
  private entering = 0;
  private dialog: ServerDialog | null = null;

  /** `origins`: the servers this site may contact; without any there is no such rung. */
  constructor(
    private readonly origins: string[],
    private readonly events: LastRungEvents,
  ) {
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-server]")) {
      button.hidden = origins.length === 0;
      button.addEventListener("click", () => void this.ask());
    }
    this.chip.addEventListener("click", () => void this.ask());
    find("server-leave", HTMLButtonElement).addEventListener("click", () => this.leave());
    this.show();
  }

  /** Null as long as nobody chose a server for this conversation. */
  get answerer(): Answerer | null {
    return this.chosen?.answerer ?? null;
  }

  /** What the server's model is called; null as long as none answers. */
  get modelName(): string | null {
    return this.chosen?.name ?? null;
  }

  /** Whether this site may contact the conversation's server. */
  admits(server: ServerPlace | null): server is ServerPlace {
    if (server === null || !URL.canParse(server.base)) return false;
    return this.origins.includes(new URL(server.base).origin);
  }

  /** A fault of the server: asking again may help, or another address, token or model. */
  async showTrouble(notice: Notice, trouble: ServerTrouble, retry: () => void): Promise<void> {
    const { toldOfServer } = await import("./server/dialog");
    const run = () => void this.ask();
    const change = { label: words.server.change, testid: "server-change", run };
    notice.showSaid(trouble, toldOfServer(trouble), retry, [change]);
  }

  async ask(): Promise<void> {
    const { ServerDialog } = await import("./server/dialog");
    this.dialog ??= new ServerDialog(this.origins, (chosen) => this.take(chosen));
    // From the device panel; two dialogs on top of each other confuse.
    for (const open of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) open.close();
    this.dialog.open(this.chosen);
  }

  /** Nothing goes there any more. */
  leave(): void {
    if (this.chosen) this.take(null);
  }

  /** Another conversation is on the page: it has a server of its own, or none. */
  async enter(server: ServerPlace | null): Promise<void> {
    this.entering++; // whatever was on its way here comes too late, even if nothing changes
    if (this.isAt(server)) return;
    // Until it is known to be there, nothing is sent anywhere.
    if (this.chosen) this.set(null);
    const { entering } = this;
    if (!this.admits(server)) return;
    const { chosenBefore } = await import("./server/dialog");
    if (entering === this.entering) this.set(chosenBefore(server));
  }

  private isAt(server: ServerPlace | null): boolean {
    const { chosen } = this;
    return chosen?.base === server?.base && chosen?.model === server?.model;
  }

  private take(chosen: Chosen | null): void {
    this.events.chosen(chosen && { base: chosen.base, model: chosen.model });
    this.set(chosen);
  }

  private set(chosen: Chosen | null): void {
    this.entering++;
    this.chosen = chosen;
    this.show();
    this.events.changed();
  }

  private show(): void {
    const { chosen } = this;
    // The style sheet hides the promise that nothing leaves the tab.
    document.body.classList.toggle("on-server", chosen !== null);
    this.chip.hidden = this.sign.hidden = chosen === null;
    if (!chosen) return;
    this.chip.textContent = words.server.host(new URL(chosen.origin).host);
    this.chip.title = words.server.since(chosen.origin, chosen.model);
    find("server-sign-text", HTMLElement).textContent = words.server.sign(chosen.origin);
  }
}
