/** What a service worker tells the pages it may not control yet. */

import { APP, type Failure, type Problem } from "./protocol";

declare const self: ServiceWorkerGlobalScope;

/** The version that a worker of this address stands for. */
export function appOf(address: string): string {
  return new URL(address).searchParams.get(APP) ?? "";
}

export async function tellPages(problem: Problem): Promise<void> {
  const message: Failure = { type: "failed", app: appOf(self.location.href), problem };
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) {
    if (page.url.startsWith(self.registration.scope)) page.postMessage(message);
  }
}
