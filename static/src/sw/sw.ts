/**
 * The service worker: keeps the page and the engine for use without a network, and isolates the
 * page on hosts that cannot. Bundles are none of its business: the engine keeps those by hash.
 *
 * A worker stands for one version of the site, the one whose app.json has the hash in its own
 * address (`sw.js?app=<sha256>`). A new version is another address, so the browser installs it
 * beside the old one and lets it take over when no tab of the old one is left, or when told to.
 */

import { Route } from "workbox-routing/Route.js";
import { Router } from "workbox-routing/Router.js";
import { type RequestRecord, watchRequests } from "../engine/traffic";
import { addressOf, fileFor } from "./files";
import { isolates, type Listed, parseHeaders, passedOn } from "./headers";
import { asProblem, keepVersion } from "./install";
import { tellPages, tellProblem } from "./pages";
import { appOf, HEADERS, INDEX, type Status, type ToServiceWorker } from "./protocol";
import { Versions } from "./versions";

declare const self: ServiceWorkerGlobalScope;

const { scope } = self.registration;
const versions = new Versions(scope, appOf(self.location.href));

/** Since the browser started this worker, which it ends and starts as it likes. */
const requested: RequestRecord[] = [];

watchRequests("service-worker", (requests) => {
  requested.push(...requests);
  void tellPages({ type: "requests", requests });
});

self.addEventListener("install", (event) => event.waitUntil(install()));
// The tab that is open at the first visit needs no reload to work without a network.
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.waitUntil(listen(event)));

const router = new Router();
router.registerRoute(
  new Route(
    ({ request }) => fileFor(request, scope),
    ({ request }) => answer(request),
  ),
);
router.addFetchListener();

async function install(): Promise<void> {
  try {
    await keepVersion(versions);
  } catch (error) {
    const problem = asProblem(error);
    await tellProblem(problem);
    // What is left of a version that tabs run is not this worker's to delete.
    if (!isInUse()) await versions.forget().catch(() => false);
    // Without room the page can still be isolated; but a version that is kept is worth more.
    if (problem.cause !== "storage" || self.registration.active) throw error;
  }
}

async function answer(request: Request): Promise<Response> {
  const kept = await versions.find(fileFor(request, scope) ?? "");
  if (kept) return kept;
  const response = await fetch(request);
  // Redirections of navigations are opaque, and the browser's to follow.
  if (response.type !== "basic") return response;
  const { status, statusText, headers } = response;
  const all = passedOn(headers, isolates(headers) ? {} : await siteHeaders());
  return new Response(response.body, { status, statusText, headers: all });
}

let listed: Promise<Listed> | null = null;

/** What the site wants every answer to carry; nothing where it cannot be had. */
function siteHeaders(): Promise<Listed> {
  listed ??= readHeaders().catch(() => ({}));
  return listed;
}

async function readHeaders(): Promise<Listed> {
  const found = (await versions.find(HEADERS)) ?? (await fetch(addressOf(HEADERS, scope)));
  return found.ok ? parseHeaders(await found.text()) : {};
}

async function listen({ data, ports }: ExtendableMessageEvent): Promise<void> {
  const message = data as ToServiceWorker;
  if (message.type === "take-over") await self.skipWaiting();
  else if (message.type === "clean") await versions.clean(others());
  else if (message.type === "status") ports[0]?.postMessage(await status());
  else if (message.type === "requests") ports[0]?.postMessage(requested);
}

async function status(): Promise<Status> {
  const problem = await repair();
  const index = await versions.find(INDEX);
  return { problem, isolates: index ? isolates(index.headers) : true };
}

/** Whether the worker at work stands for this version as well. */
function isInUse(): boolean {
  const { active } = self.registration;
  return active !== null && appOf(active.scriptURL) === versions.app;
}

/** Keeps again what has been deleted, or what there was no room for. */
async function repair(): Promise<Status["problem"]> {
  try {
    await keepVersion(versions);
    return null;
  } catch (error) {
    return asProblem(error);
  }
}

/** The versions that are on their way in. */
function others(): string[] {
  const { installing, waiting } = self.registration;
  return [installing, waiting].flatMap((worker) => (worker ? appOf(worker.scriptURL) : []));
}
