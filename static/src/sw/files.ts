/** Which files of a site are kept, and which requests they answer. Knows nothing of the browser. */

import { HEADERS, INDEX, LIST } from "./protocol";

export interface Entry {
  bytes: number;
  sha256: string;
}

/** app.json as far as the service worker reads it. */
export interface SiteList {
  version: string;
  files: Record<string, Entry>;
}

/** Folders and files below the scope that are answered from what is kept. */
const FOLDERS = ["assets/", "icons/"];
const FILES = [INDEX, HEADERS, "engine.js", "manifest.webmanifest", "models.json"];

/** Throws on what is no app.json of a site. */
export function parseList(text: string): SiteList {
  const list = JSON.parse(text) as Partial<SiteList>;
  if (typeof list.version !== "string" || !list.files) throw new Error(`${LIST} lists no files`);
  if (!Object.hasOwn(list.files, INDEX)) {
    throw new Error(`${LIST} does not list ${INDEX}: it is of a build, not of a site`);
  }
  return list as SiteList;
}

/** What is kept of a list. Service workers are not: the browser looks after their files. */
export function keptFiles({ files }: SiteList): [string, Entry][] {
  return Object.entries(files).filter(([path]) => isKept(path));
}

function isKept(path: string): boolean {
  return FILES.includes(path) || FOLDERS.some((folder) => path.startsWith(folder));
}

/** Where a file is fetched: the page by the address that people open. */
export function addressOf(path: string, scope: string): string {
  return new URL(path === INDEX ? "./" : path, scope).href;
}

interface Asked {
  url: string;
  mode: RequestMode;
  headers: Headers;
}

/**
 * The file that answers a request, or null where the service worker has no say: other origins,
 * other pages below the scope, bundles (the engine keeps those), and parts of files.
 */
export function fileFor({ url, mode, headers }: Asked, scope: string): string | null {
  const { origin, pathname, search } = new URL(url);
  const home = new URL(scope);
  if (origin !== home.origin || !pathname.startsWith(home.pathname)) return null;
  if (headers.has("range")) return null;
  const path = pathname.slice(home.pathname.length);
  // The page's parameters change nothing about the page.
  if (mode === "navigate") return path === "" || path === INDEX ? INDEX : null;
  return isKept(path) && path !== INDEX && search === "" ? path : null;
}
