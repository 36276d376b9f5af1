/** What `/engine.js` exports. */

import type { Assessment, AssessOptions, ModelQuestion } from "./assessment";
import { partOf } from "./errors";

export { connection } from "../device/connection";
export { type Suggestion, type SuggestionReason, suggestModel } from "../device/fit";
export { deleteModel, persistStorage, storageUse, storedModels } from "../load/library";
export * from "./api";
export * from "./assessment";
export { Download } from "./download";
export {
  createEngine,
  inspectDevice as checkDevice,
  inspectStorage as storedModel,
} from "./engine";

/** As in assess.ts, which is fetched when somebody asks. */
export async function assess(
  models: ModelQuestion[],
  options?: AssessOptions,
): Promise<Assessment[]> {
  const { assess } = await partOf(import("./assess"));
  return assess(models, options);
}
