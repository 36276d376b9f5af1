/** The service worker's address, as the site's Trusted Types want it. */

import { trustedScripts } from "../trusted";

const SERVICE_WORKER = /^sw\.js(\?[\w=&.-]*)?$/;

/** For `navigator.serviceWorker.register`; anything but the site's own is a fault of ours. */
export const ownScript = trustedScripts("webkiln-page", (file: string) => {
  if (!SERVICE_WORKER.test(file)) throw new TypeError(`${file} is not the site's service worker`);
  return new URL(file, document.baseURI).href;
});
