/** What a service worker tells the pages it may not control yet. */

import { appOf, type Failure, type Problem, type Requests } from "./protocol";

declare const self: ServiceWorkerGlobalScope;

export async function tellProblem(problem: Problem): Promise<void> {
  await tellPages({ type: "failed", app: appOf(self.location.href), problem });
}

export async function tellPages(message: Failure | Requests): Promise<void> {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) {
    if (page.url.startsWith(self.registration.scope)) page.postMessage(message);
  }
}
