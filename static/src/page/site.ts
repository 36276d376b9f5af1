/** What the page knows of its site from the start: the data block `site` in its HTML. */

import type { Model } from "./models";

export interface Site {
  models: Model[];
  /** Every origin that the page may talk to, beside its own. */
  origins: string[];
  /** Servers that a person may choose to ask; null: none were allowed when the site was made. */
  server: { origins: string[] } | null;
  /** Visitors may keep the page, by a service worker. */
  offline: boolean;
}

/** Throws where the HTML is not one that `llm-site` made. */
export function readSite(): Site {
  const text = document.getElementById("site")?.textContent;
  if (!text) throw new Error("the page does not carry its list of models");
  return JSON.parse(text) as Site;
}
