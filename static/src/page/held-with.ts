/** The line that says which model a conversation was held with, where another would go on with it. */

import type { ChatNote } from "./chat-note";
import { openModel } from "./model-select";
import { findModel, type Model } from "./models";
import type { Summary } from "./store/schema";
import { words } from "./words";

/** `summary`: null where there is nothing to say; `current`: the model this page has chosen. */
export function sayHeldWith(
  note: ChatNote,
  summary: Summary | null,
  models: Model[],
  current: Model | undefined,
): void {
  const { otherModel, useModel } = words.conversation;
  note.hide("model");
  if (!summary) return;
  const { model: folder, serverModel } = summary;
  if (serverModel !== "") {
    note.show("model", otherModel(words.server.named(serverModel)));
    return;
  }
  const model = findModel(models, folder);
  if (!model || !current || model === current) return;
  note.show("model", otherModel(model.name), {
    label: useModel(model.name),
    testid: "use-model",
    run: () => openModel(model),
  });
}
