/** The way to the privacy panel, which arrives when it is asked for. */

import type { SiteFacts } from "./account";
import type { PrivacyPanel } from "./panel";

/** Makes every element with `data-privacy` open the panel. */
export function offerPrivacy(site: () => SiteFacts): void {
  let panel: PrivacyPanel | null = null;
  const open = async () => {
    const { PrivacyPanel } = await import("./panel");
    panel ??= new PrivacyPanel(site());
    panel.open();
  };
  for (const button of document.querySelectorAll("[data-privacy]")) {
    button.addEventListener("click", () => void open());
  }
}
