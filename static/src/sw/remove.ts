/**
 * Served as sw.js, takes the service worker away from every visitor: for a site that moves, or wants
 * to be a plain page again. What the engine keeps of models stays.
 */

import { tellProblem } from "./pages";
import { cachePrefix } from "./versions";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(remove()));

async function remove(): Promise<void> {
  await tellProblem({ cause: "off", detail: "the site has switched it off" });
  const prefix = cachePrefix(self.registration.scope);
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix));
  await Promise.all(names.map((name) => caches.delete(name)));
  await self.registration.unregister();
}
