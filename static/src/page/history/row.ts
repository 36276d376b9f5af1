/** One conversation in the list, and what can be done with it. */

import { composes, element, iconButton } from "../dom";
import { panels } from "../panel-words";
import type { Summary } from "../store/schema";
import { JSON_NAME, MARKDOWN } from "./export";
import type { Snippet } from "./search";

export interface RowEvents {
  open(id: string): void;
  rename(id: string, title: string): void;
  exportAs(id: string, ending: "md" | "json"): void;
  delete(id: string): void;
}

export class Row {
  readonly node = element("li", { class: "history-row", testid: "conversation" });
  private readonly title = element("span", { class: "history-title" });
  private readonly detail = element("span", { class: "history-detail" });
  private readonly opener = element("button", {
    class: "history-open",
    testid: "open-conversation",
    attributes: { type: "button" },
    children: [this.title, this.detail],
  });
  private readonly more = iconButton("more", "", "more");
  private actions: HTMLElement | null = null;
  /** What the row says now. */
  private shown = "";

  constructor(
    private summary: Summary,
    private readonly events: RowEvents,
  ) {
    this.opener.addEventListener("click", () => events.open(summary.id));
    this.more.setAttribute("aria-expanded", "false");
    this.more.addEventListener("click", () => this.toggle());
    this.node.append(this.opener, this.more);
  }

  update(summary: Summary, current: boolean, detail: string, snippet: Snippet | null): void {
    this.summary = summary;
    const title = this.name;
    const shown = JSON.stringify([title, current, detail, snippet]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.title.textContent = title;
    this.more.setAttribute("aria-label", panels.history.more(title));
    this.more.title = panels.history.more(title);
    if (current) this.opener.setAttribute("aria-current", "true");
    else this.opener.removeAttribute("aria-current");
    this.detail.replaceChildren(
      ...(snippet
        ? [snippet.before, element("mark", { text: snippet.match }), snippet.after]
        : [detail]),
    );
  }

  focus(): void {
    this.opener.focus();
  }

  private get name(): string {
    return this.summary.title || panels.history.untitled;
  }

  private toggle(): void {
    this.actions?.remove();
    this.actions = this.actions ? null : this.makeActions();
    this.more.setAttribute("aria-expanded", String(this.actions !== null));
    if (this.actions) this.node.append(this.actions);
  }

  private makeActions(): HTMLElement {
    const { id } = this.summary;
    const title = this.name;
    const { events } = this;
    return element("div", {
      class: "history-actions",
      children: [
        action(
          panels.history.rename,
          panels.history.doTo(panels.history.rename, title),
          "rename",
          () => this.edit(),
        ),
        action(MARKDOWN, panels.history.exportOne(title, MARKDOWN), "export-md", () =>
          events.exportAs(id, "md"),
        ),
        action(JSON_NAME, panels.history.exportOne(title, JSON_NAME), "export-json", () =>
          events.exportAs(id, "json"),
        ),
        action(
          panels.history.remove,
          panels.history.doTo(panels.history.remove, title),
          "delete",
          () => events.delete(id),
        ),
      ],
    });
  }

  /** The title becomes a field: Enter and leaving it keep what was typed, Escape does not. */
  private edit(): void {
    const field = element("input", {
      class: "history-rename",
      testid: "rename-field",
      attributes: {
        value: this.summary.title,
        "aria-label": panels.history.newTitle,
        maxlength: "200",
      },
    });
    let open = true;
    const end = (keep: boolean, refocus: boolean) => {
      if (!open) return;
      open = false;
      field.replaceWith(this.opener);
      if (refocus) this.focus();
      if (keep && field.value !== this.summary.title) {
        this.events.rename(this.summary.id, field.value);
      }
    };
    field.addEventListener("blur", () => end(true, false));
    field.addEventListener("keydown", (event) => {
      if (composes(event) || (event.key !== "Enter" && event.key !== "Escape")) return;
      // Escape would close the panel, too.
      event.preventDefault();
      event.stopPropagation();
      end(event.key === "Enter", true);
    });
    this.toggle();
    this.opener.replaceWith(field);
    field.select();
    field.focus();
  }
}

function action(text: string, label: string, testid: string, run: () => void): HTMLButtonElement {
  const attributes = { type: "button", "aria-label": label };
  const button = element("button", { class: "button quiet small", text, testid, attributes });
  button.addEventListener("click", run);
  return button;
}
