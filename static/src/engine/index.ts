/** What `/engine.js` exports. */

export { connection } from "../device/connection";
export { deleteModel, persistStorage, storageUse, storedModels } from "../load/library";
export * from "./api";
export {
  createEngine,
  inspectDevice as checkDevice,
  inspectStorage as storedModel,
} from "./engine";
