/** What `/engine.js` exports. */

export { connection } from "../device/connection";
export { type Suggestion, type SuggestionReason, suggestModel } from "../device/fit";
export { deleteModel, persistStorage, storageUse, storedModels } from "../load/library";
export * from "./api";
export { assess } from "./assess";
export * from "./assessment";
export { Download } from "./download";
export {
  createEngine,
  inspectDevice as checkDevice,
  inspectStorage as storedModel,
} from "./engine";
