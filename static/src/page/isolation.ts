/**
 * A host that sends no headers for isolation leaves WebAssembly with one thread. The service worker
 * adds them, but only to a page that it has served itself: hence one reload at the first visit.
 */

import { type Memory, session } from "./storage";

const TRIED = "webkiln.isolating";

interface Visit {
  isolated: boolean;
  /** Inside another page's frame it is that page which decides. */
  framed: boolean;
  /** Something was loaded or typed, which a reload would undo. */
  touched: boolean;
}

/** Whether a reload may help; true once only, and never where that cannot be remembered. */
export function shouldReload({ isolated, framed, touched }: Visit, memory: Memory): boolean {
  if (isolated) memory.write(TRIED, "");
  if (isolated || framed || touched || memory.read(TRIED)) return false;
  memory.write(TRIED, "yes");
  return memory.read(TRIED) === "yes";
}

/** To be called once the service worker serves isolated pages. */
export function isolate(): void {
  const visit = {
    isolated: crossOriginIsolated,
    framed: self !== top,
    touched: document.body.dataset.state !== "start" || navigator.userActivation?.hasBeenActive,
  };
  if (shouldReload(visit, session)) location.reload();
}
