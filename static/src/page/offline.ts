/** Use without a network: has the site kept, and says in the settings how that stands. */

import { lockName, type Problem } from "../sw/protocol";
import { find } from "./dom";
import { isolate } from "./isolation";
import { readSite } from "./site";
import { SiteWorker } from "./site-worker";
import { words } from "./words";

/** A tab that stays open for days looks for a new version when somebody comes back to it. */
const RECHECK_MS = 3_600_000;

let siteWorker: SiteWorker | null = null;

/** The way to a newer version of this page, once that is here; null: there is none. */
export async function newerVersion(): Promise<(() => void) | null> {
  return (await siteWorker?.newer()) ?? null;
}

export async function keepOffline(): Promise<void> {
  const state = find("offline-state", HTMLElement);
  const say = (problem: Problem | null): void => {
    state.textContent = offlineText(problem);
    state.dataset.state = problem?.cause ?? "kept";
  };
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!container) {
    say({ cause: "unsupported", detail: "there is no navigator.serviceWorker" });
    return;
  }
  if (!readSite().offline) {
    say({ cause: "off", detail: "the site has switched it off" });
    await giveUp(container);
    return;
  }
  holdVersion();
  const worker = new SiteWorker(container, {
    status: ({ problem, isolates }) => {
      say(problem);
      if (isolates) isolate();
    },
    update: offerUpdate,
  });
  siteWorker = worker;
  await worker.check();
  recheck(worker);
}

/** Who was here before may have a service worker yet: its script is now one that takes it away. */
async function giveUp(container: ServiceWorkerContainer): Promise<void> {
  const registration = await container.getRegistration("./").catch(() => undefined);
  if (registration?.scope === new URL("./", document.baseURI).href) await registration.update();
}

export function offlineText(problem: Problem | null): string {
  const { kept, impossible, problems } = words.offline;
  if (problem === null) return kept;
  const why = problems[problem.cause];
  return impossible(why("file" in problem ? problem.file : ""));
}

/** A line below the header. Empty, it takes no room: screen readers miss what appears with it. */
function offerUpdate(take: () => void): void {
  const text = find("update-text", HTMLElement);
  text.textContent = words.offline.newVersion;
  find("update-now", HTMLButtonElement).onclick = take;
  find("update-close", HTMLButtonElement).onclick = () => text.replaceChildren();
}

/** The service worker deletes no version that a tab holds. */
function holdVersion(): void {
  const [, version] = import.meta.url.match(/\/assets\/([^/]+)\//) ?? [];
  const scope = new URL("./", document.baseURI).href;
  const forever = () => new Promise<never>(() => {});
  const options: LockOptions = { mode: "shared" };
  navigator.locks?.request(lockName(scope, version ?? ""), options, forever).catch(() => {});
}

function recheck(worker: SiteWorker): void {
  let last = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || Date.now() - last < RECHECK_MS) return;
    last = Date.now();
    void worker.check();
  });
}
