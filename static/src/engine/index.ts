/** What `/engine.js` exports. */

export * from "./api";
export { createEngine, inspectDevice as checkDevice } from "./engine";
