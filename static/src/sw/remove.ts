/**
 * Served as sw.js, takes the service worker away from every visitor: a site that moves, or wants
 * to be a plain page again. What the engine keeps of models stays.
 */

import type { Status, ToServiceWorker } from "./protocol";
import { cachePrefix } from "./versions";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(remove()));
self.addEventListener("message", ({ data, ports }) => {
  const problem: Status["problem"] = { cause: "off", detail: "the site has switched it off" };
  const status: Status = { problem, isolates: false };
  if ((data as ToServiceWorker).type === "status") ports[0]?.postMessage(status);
});

async function remove(): Promise<void> {
  const prefix = cachePrefix(self.registration.scope);
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix));
  await Promise.all(names.map((name) => caches.delete(name)));
  await self.registration.unregister();
}
