/** The page's end of the service worker: keeps it registered, and tells what becomes of it. */

import { sha256 } from "../load/hash";
import {
  APP,
  appOf,
  type Failure,
  LIST,
  type Problem,
  type Status,
  type ToServiceWorker,
} from "../sw/protocol";
import { ownScript } from "./own-script";

export interface SiteWorkerEvents {
  /** What the version in use says of itself, or why there is none. */
  status(status: Status): void;
  /** Another version is there; `take` changes over to it. */
  update(take: () => void): void;
}

export class SiteWorker {
  private registration: ServiceWorkerRegistration | null = null;
  /** The version that the last check found on the server. */
  private app = "";
  /** Another tab has changed over to a newer version. */
  private overtaken = false;

  constructor(
    private readonly container: ServiceWorkerContainer,
    private readonly events: SiteWorkerEvents,
  ) {
    const { controller } = container;
    container.addEventListener("controllerchange", () => {
      // Another tab has changed over; this one goes on with the files of its own version.
      if (!controller) return;
      this.overtaken = true;
      events.update(() => location.reload());
    });
    container.addEventListener("message", ({ data }: MessageEvent<Failure>) => {
      if (data.type === "failed" && data.app === this.app) this.failed(data.problem);
    });
  }

  /** Asks the server for its version, and has the browser install it where it is another one. */
  async check(): Promise<void> {
    try {
      const registration = await this.registered();
      if (registration) await this.watch(registration);
      else this.failed({ cause: "network", file: LIST, detail: `${LIST} could not be fetched` });
    } catch (error) {
      this.failed(asProblem(error));
    }
  }

  /** Checks, and resolves with the way to the newer version once that is here; null: there is none. */
  async newer(): Promise<(() => void) | null> {
    if (this.overtaken) return () => location.reload();
    await this.check();
    await settled(this.registration?.installing ?? null);
    return this.next() ? () => this.takeOver() : null;
  }

  private async registered(): Promise<ServiceWorkerRegistration | undefined> {
    const app = await newest();
    if (app === null) return this.container.getRegistration("./");
    this.app = app;
    const options: RegistrationOptions = { scope: "./", updateViaCache: "none" };
    return this.container.register(ownScript(`sw.js?${APP}=${app}`), options);
  }

  private async watch(registration: ServiceWorkerRegistration): Promise<void> {
    if (this.registration !== registration) {
      this.registration = registration;
      registration.addEventListener("updatefound", () => this.follow(registration.installing));
    }
    // A worker is neither installing nor active for a moment in between.
    this.follow(registration.installing ?? registration.waiting);
    this.offer();
    if (registration.active) await this.ask(registration.active);
  }

  private follow(worker: ServiceWorker | null): void {
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed") this.offer();
      if (worker.state === "activated") void this.ask(worker);
    });
  }

  private offer(): void {
    if (this.next()) this.events.update(() => this.takeOver());
  }

  /** What waits to take over; a worker of the version in use is none: browsers renew those, too. */
  private next(): ServiceWorker | null {
    const { waiting, active } = this.registration ?? {};
    if (!waiting || !active) return null;
    return appOf(waiting.scriptURL) === appOf(active.scriptURL) ? null : waiting;
  }

  private takeOver(): void {
    const worker = this.next();
    if (!worker) {
      location.reload();
      return;
    }
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") location.reload();
    });
    say(worker, { type: "take-over" });
  }

  private async ask(worker: ServiceWorker): Promise<void> {
    this.events.status(await ask(worker));
    say(worker, { type: "clean" });
  }

  /** Beside a version that works, one that could not be kept is no news: it is tried again. */
  private failed(problem: Problem): void {
    if (this.registration?.active && problem.cause !== "off") return;
    this.events.status({ problem, isolates: false });
  }
}

/** The SHA-256 of the server's app.json; null without a network, or without an app.json. */
async function newest(): Promise<string | null> {
  try {
    const response = await fetch(LIST, { cache: "no-cache" });
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A network that wants a log-in first answers with a page of its own.
    JSON.parse(new TextDecoder().decode(bytes));
    return response.ok ? await sha256(bytes) : null;
  } catch {
    return null;
  }
}

/** Resolves when it is installed, or cannot be. */
function settled(worker: ServiceWorker | null): Promise<void> {
  return new Promise((resolve) => {
    if (worker?.state !== "installing") resolve();
    else worker.addEventListener("statechange", () => resolve(), { once: true });
  });
}

function ask(worker: ServiceWorker): Promise<Status> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<Status>) => resolve(data);
    say(worker, { type: "status" }, [port2]);
  });
}

function say(worker: ServiceWorker, message: ToServiceWorker, ports: MessagePort[] = []): void {
  worker.postMessage(message, ports);
}

/** Why there is no registration: the browser forbids it, or sw.js cannot be had. */
function asProblem(error: unknown): Problem {
  const detail = String(error);
  const forbidden = error instanceof DOMException && error.name === "SecurityError";
  return forbidden ? { cause: "unsupported", detail } : { cause: "network", file: "sw.js", detail };
}
