/** Every request made since the page was loaded, as its parts tell of them. */

import { type RequestRecord, toRecord, watchRequests } from "../../engine/traffic";
import type { Requests, ToServiceWorker } from "../../sw/protocol";

/** What was sent in the bodies of requests: only a server that was chosen is ever sent any. */
export interface Sent {
  address: string;
  bytes: number;
}

/** Clocks of page and service worker differ a little. */
const SLACK = 1000; // ms

export class Ledger {
  readonly sent: Sent[] = [];
  /** Addresses the site's policy kept the page from. */
  readonly refused: string[] = [];
  /** Called after every change. */
  onChange: () => void = () => {};
  private readonly records = new Map<string, RequestRecord>();

  /** `since`: when the page was loaded; what a service worker did before is left out. */
  constructor(private readonly since: number) {}

  /** In the order they were made. */
  get requests(): RequestRecord[] {
    return [...this.records.values()].sort((one, other) => one.at - other.at);
  }

  /** Told twice, a request counts once. */
  add(requests: RequestRecord[]): void {
    for (const request of requests) {
      if (request.at < this.since - SLACK) continue;
      this.records.set(`${request.by} ${request.at} ${request.address}`, request);
    }
    this.onChange();
  }

  addSent(address: string, bytes: number): void {
    if (bytes > 0) this.sent.push({ address, bytes });
    this.onChange();
  }

  addRefused(address: string): void {
    if (!this.refused.includes(address)) this.refused.push(address);
    this.onChange();
  }
}

export const ledger = new Ledger(performance.timeOrigin);

/** From now on the ledger hears of what the page and its service worker request. */
export function keepLedger(): void {
  watchRequests("page", (requests) => ledger.add(requests));
  for (const entry of performance.getEntriesByType("navigation")) {
    ledger.add([toRecord(entry as PerformanceNavigationTiming, "page")]);
  }
  addEventListener("securitypolicyviolation", (event) => {
    ledger.addRefused(event.blockedURI);
  });
  navigator.serviceWorker?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    if (isRequests(data)) ledger.add(data.requests);
  });
}

function isRequests(data: unknown): data is Requests {
  return (data as Requests | null)?.type === "requests";
}

const PATIENCE = 2000; // ms; a service worker may have to be started first

/** Asks it for what it did before anybody listened. False: it did not answer; null: there is none. */
export async function askServiceWorker(): Promise<boolean | null> {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return null;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise<boolean>((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<RequestRecord[]>) => {
      ledger.add(data);
      resolve(true);
    };
    setTimeout(() => resolve(false), PATIENCE);
  });
  worker.postMessage({ type: "requests" } satisfies ToServiceWorker, [port2]);
  const heard = await answer;
  port1.close();
  return heard;
}
