/** What can be done with all conversations: export, import, delete. */

import { element } from "../dom";
import { panels } from "../panel-words";
import { JSON_NAME, MARKDOWN } from "./export";

export interface ToolEvents {
  exportAll(ending: "md" | "json"): void;
  import(file: File): void;
  deleteAll(): void;
  /** How many there are. */
  count(): Promise<number>;
}

export class Tools {
  private readonly confirm = element("div", {
    class: "history-confirm",
    testid: "confirm-delete-all",
    attributes: { role: "group" },
  });
  private readonly remove = button(panels.history.removeAll, "delete-all", () => void this.ask());
  readonly node: HTMLElement;

  constructor(private readonly events: ToolEvents) {
    const file = this.fileField();
    this.confirm.hidden = true;
    this.node = element("details", {
      class: "history-tools",
      testid: "history-tools",
      children: [
        element("summary", { text: panels.history.tools }),
        element("div", {
          class: "history-buttons",
          children: [
            button(panels.history.exportAll(JSON_NAME), "export-all-json", () =>
              events.exportAll("json"),
            ),
            button(panels.history.exportAll(MARKDOWN), "export-all-md", () =>
              events.exportAll("md"),
            ),
            button(panels.history.importFile, "import", () => file.click()),
            file,
            this.remove,
          ],
        }),
        this.confirm,
      ],
    });
  }

  private fileField(): HTMLInputElement {
    const field = element("input", {
      testid: "import-file",
      attributes: {
        type: "file",
        accept: ".json,application/json",
        "aria-label": panels.history.importFile,
      },
    });
    field.hidden = true;
    field.addEventListener("change", () => {
      const [file] = field.files ?? [];
      if (file) this.events.import(file);
      field.value = ""; // the same file may be chosen again
    });
    return field;
  }

  private async ask(): Promise<void> {
    const text = element("p", {
      text: panels.history.confirm(await this.events.count()),
      attributes: { id: "history-confirm-text" },
    });
    const keep = button(panels.history.keep, "keep-all", () => this.close());
    const remove = button(panels.history.confirmRemove, "confirm-delete", () => {
      this.close();
      this.events.deleteAll();
    });
    this.confirm.setAttribute("aria-labelledby", "history-confirm-text");
    this.confirm.replaceChildren(
      text,
      element("div", { class: "actions", children: [keep, remove] }),
    );
    this.confirm.hidden = false;
    keep.focus();
  }

  private close(): void {
    this.confirm.hidden = true;
    this.remove.focus();
  }
}

function button(text: string, testid: string, run: () => void): HTMLButtonElement {
  const attributes = { type: "button" };
  const node = element("button", { class: "button quiet small", text, testid, attributes });
  node.addEventListener("click", run);
  return node;
}
