/** Fetches a version of the site: all of it, each file as app.json has it, or none. */

import { sha256 } from "../load/hash";
import { addressOf, type Entry, keptFiles, parseList, type SiteList } from "./files";
import { type Listed, parseHeaders, passedOn } from "./headers";
import { HEADERS, LIST, type Problem } from "./protocol";
import type { Versions } from "./versions";

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  return { cause: "internal", detail: String(error) };
}

/** Keeps what is not kept yet. The list comes last: a version without one is not whole. */
export async function keepVersion(versions: Versions): Promise<void> {
  // This very version may be in use: browsers look for another sw.js at the same address, too.
  if (await versions.isWhole()) return;
  const list = await fetchList(versions);
  const cache = await stored(versions.open());
  const site = parseList(await list.clone().text());
  const listed = await fetchHeaders(site, versions.scope);
  await Promise.all(
    keptFiles(site).map(async ([path, entry]) => {
      const key = versions.address(path);
      if (await stored(cache.match(key))) return;
      const response = await fetchFile(path, entry, versions.scope, listed);
      await stored(cache.put(key, response));
    }),
  );
  await stored(cache.put(versions.address(LIST), list));
}

/** The list that this version is named for; the server may have another by now. */
async function fetchList({ scope, app }: Versions): Promise<Response> {
  const { bytes, headers } = await fetchBytes(LIST, scope, "no-cache");
  if ((await sha256(bytes)) !== app) throw damaged(LIST);
  return new Response(bytes, { headers: passedOn(headers) });
}

/** What the site wants every answer to carry; sites of before did not say. */
async function fetchHeaders({ files }: SiteList, scope: string): Promise<Listed> {
  const entry = files[HEADERS];
  if (!entry) return {};
  return parseHeaders(await (await fetchFile(HEADERS, entry, scope, {})).text());
}

async function fetchFile(
  path: string,
  entry: Entry,
  scope: string,
  listed: Listed,
): Promise<Response> {
  // Assets never change, and the page has just loaded most of them; the browser's own cache may
  // hold a damaged copy, so the second time goes around it.
  const first = path.startsWith("assets/") ? "default" : "no-cache";
  for (const mode of [first, "reload"] as const) {
    const { bytes, headers } = await fetchBytes(path, scope, mode);
    if (bytes.length === entry.bytes && (await sha256(bytes)) === entry.sha256) {
      return new Response(bytes, { headers: passedOn(headers, listed) });
    }
  }
  throw damaged(path);
}

interface Fetched {
  bytes: Uint8Array<ArrayBuffer>;
  headers: Headers;
}

async function fetchBytes(path: string, scope: string, cache: RequestCache): Promise<Fetched> {
  try {
    const response = await fetch(addressOf(path, scope), { cache });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { bytes, headers: response.headers };
  } catch (error) {
    throw new Refused({ cause: "network", file: path, detail: `${path}: ${error}` });
  }
}

function damaged(path: string): Refused {
  const detail = `${path} has other content than ${LIST} says`;
  return new Refused({ cause: "integrity", file: path, detail });
}

/** Cache Storage that is full or shut. */
async function stored<T>(done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    throw new Refused({ cause: "storage", detail: `Cache Storage: ${error}` });
  }
}
