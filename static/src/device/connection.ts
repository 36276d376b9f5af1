/** What the browser tells of the network: the Network Information API, where there is one. */

import type { Connection } from "../engine/api";

export interface NetworkInformation {
  saveData?: boolean;
  type?: string;
}

/** Ask before a large download where it is metered: `metered` is a guess on the careful side. */
export function connection(
  here: { onLine?: boolean; connection?: NetworkInformation } = navigator,
): Connection {
  const { saveData = false, type } = here.connection ?? {};
  const metered = saveData || type === "cellular" || type === "wimax";
  return { online: here.onLine ?? true, metered, saveData, type: type ?? null };
}
