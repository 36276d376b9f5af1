/** Which models this browser kept whole, so that a visit notices when they are gone. */

import { pageStorage } from "../device/crash";

const STORE = "webkiln.kept";
const MOST = 50; // models

/** Remembered or not, by the manifest's hash or address. */
export function markKept(model: string, whole: boolean): void {
  const others = read().filter((each) => each !== model);
  try {
    pageStorage()?.setItem(
      STORE,
      JSON.stringify([...others, ...(whole ? [model] : [])].slice(-MOST)),
    );
  } catch {
    // Full or blocked: what is gone will be downloaded again without a word.
  }
}

export function wasKept(model: string): boolean {
  return read().includes(model);
}

function read(): string[] {
  try {
    const models: unknown = JSON.parse(pageStorage()?.getItem(STORE) ?? "[]");
    return Array.isArray(models) ? models.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}
