/** What the browser tells of the network: the Network Information API, where there is one. */

/** The connection, as far as the browser tells: many do not. */
export interface Connection {
  online: boolean;
  /** Whether a large download may cost: data saving is on, or the network is a mobile one. */
  metered: boolean;
  saveData: boolean;
  /** "wifi", "cellular", "ethernet" and the like; null: the browser does not say. */
  type: string | null;
}

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
