/** What the last rung and the privacy panel want to know of the site. */

import type { SiteFacts } from "./privacy/account";
import { readSite, type Site } from "./site";

/** Servers that a person may choose; none, unless the site's owner allowed some. */
export function readServers(): string[] {
  return siteOrNull()?.server?.origins ?? [];
}

export function siteFacts(): SiteFacts {
  const folders = siteOrNull()?.models.flatMap(({ urls }) => urls) ?? [];
  const models = folders.map((url) => new URL(url, document.baseURI).href);
  const home = new URL("./", document.baseURI).href;
  return { origin: location.origin, home, models, servers: readServers() };
}

/** Whoever needs the models says that there are none. */
function siteOrNull(): Site | null {
  try {
    return readSite();
  } catch {
    return null;
  }
}
