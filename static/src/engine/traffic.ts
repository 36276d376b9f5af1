/**
 * Which requests were made, as the browser's resource timing tells of them. Page, worker, thread
 * and service worker have a timeline each; every one watches its own.
 */

export type Requester = "page" | "worker" | "thread" | "service-worker";

/** A request, by whom and how large; neither headers nor bodies are known here. */
export interface RequestRecord {
  address: string;
  by: Requester;
  /** Milliseconds since 1970. */
  at: number;
  /** "fetch", "script", "link" and the like. */
  initiator: string;
  /** Over the network, headers included; null where another origin does not let it be known. */
  bytes: number | null;
  /** Of the content as it is used; 0 where it is not known. */
  size: number;
  /** 0 where it is not known, and where there was no answer. */
  status: number;
  /** The service worker was asked. Whether it answered, this does not tell. */
  relayed: boolean;
}

// Browsers forget what is beyond their buffer (250 entries) and was not yet observed.
const BUFFER = 10_000;

/** Calls `tell` with what was requested so far, and then with whatever is. */
export function watchRequests(by: Requester, tell: (requests: RequestRecord[]) => void): void {
  if (!globalThis.PerformanceObserver?.supportedEntryTypes?.includes("resource")) return;
  performance.setResourceTimingBufferSize?.(BUFFER);
  const observer = new PerformanceObserver((list) => tell(list.getEntries().flatMap(record(by))));
  observer.observe({ type: "resource", buffered: true });
}

/** What was requested so far, for who will not come back to be asked. */
export function requestsSoFar(by: Requester): RequestRecord[] {
  return performance.getEntriesByType("resource").flatMap(record(by));
}

function record(by: Requester) {
  return (entry: PerformanceEntry): RequestRecord[] => {
    const timing = entry as PerformanceResourceTiming;
    // Such addresses are read without a network.
    if (/^(data|blob):/.test(timing.name)) return [];
    return [toRecord(timing, by)];
  };
}

export function toRecord(timing: PerformanceResourceTiming, by: Requester): RequestRecord {
  const { name, initiatorType, transferSize, encodedBodySize, decodedBodySize } = timing;
  // Another origin that sends no Timing-Allow-Origin has all sizes at 0.
  const untold = new URL(name).origin !== location.origin && transferSize + decodedBodySize === 0;
  return {
    address: name,
    by,
    at: performance.timeOrigin + timing.startTime,
    initiator: initiatorType,
    bytes: untold ? null : transferSize,
    size: encodedBodySize,
    status: timing.responseStatus ?? 0,
    relayed: timing.workerStart > 0,
  };
}
