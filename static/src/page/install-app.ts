/** The setting "Install as an app", where the browser offers it. */

import { find } from "./dom";

/** Chromium's: no other browser lets a page ask. */
interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

/** Listens from the start: the browser says only once that the page can be installed. */
export function offerInstall(): void {
  const button = find("install-app", HTMLButtonElement);
  let offered: InstallPrompt | null = null;
  const show = (prompt: InstallPrompt | null): void => {
    offered = prompt;
    button.hidden = prompt === null;
  };
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault(); // no banner over the page
    show(event as InstallPrompt);
  });
  addEventListener("appinstalled", () => show(null));
  button.addEventListener("click", () => {
    void offered?.prompt();
    show(null); // a prompt can be shown once
  });
}
