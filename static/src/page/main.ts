/** The chat page, from the first words on. */

import { ChatPage } from "./chat-page";
import { offerInstall } from "./install-app";
import { languageWishes } from "./language";
import { offerLanguages } from "./language-select";
import { keepLedger } from "./privacy/ledger";
import { ready } from "./stage";
import { fillTemplate } from "./template-words";
import { speak } from "./words";

offerInstall();
keepLedger();
await speak(languageWishes());
fillTemplate();
offerLanguages();
delete document.documentElement.dataset.wait;
void new ChatPage().open();
// A first visit's network is the model's; but where threads need the service worker, it goes first.
if (crossOriginIsolated && !navigator.serviceWorker?.controller) await ready;
// Nothing on the page waits for this; without it, it is a page that needs its network.
import("./offline").then(({ keepOffline }) => keepOffline()).catch(() => {});
