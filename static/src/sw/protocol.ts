/** What the page and its service worker say to each other, and the names that both know. */

import type { RequestRecord } from "../engine/traffic";

/** Parameter of sw.js's address: the SHA-256 of the app.json whose files that worker keeps. */
export const APP = "app";
export const LIST = "app.json";
export const INDEX = "index.html";
/** What every answer of the site should carry, for whoever can add it. */
export const HEADERS = "headers.json";

/** The version that a service worker of this address stands for. */
export function appOf(address: string): string {
  return new URL(address).searchParams.get(APP) ?? "";
}

/** Why the page cannot be kept for use without a network. */
export type Problem =
  | { cause: "unsupported" | "off" | "storage" | "internal"; detail: string }
  /** `file` could not be fetched, or has other content than app.json says. */
  | { cause: "network" | "integrity"; file: string; detail: string };

export interface Status {
  /** Null: every file is kept. */
  problem: Problem | null;
  /** The page it serves is cross-origin isolated, by the site's headers or by its own. */
  isolates: boolean;
}

/**
 * `status` is answered with a Status through the port that comes with it, `requests` with every
 * RequestRecord since the browser started the worker.
 */
export type ToServiceWorker =
  | { type: "status" }
  | { type: "requests" }
  | { type: "take-over" }
  | { type: "clean" };

/** What the worker has just requested; said unasked. */
export interface Requests {
  type: "requests";
  requests: RequestRecord[];
}

/** A version could not be kept; it does not come into use. */
export interface Failure {
  type: "failed";
  app: string;
  problem: Problem;
}

/** The Web Lock that each tab shares for as long as it may need the files of its version. */
export function lockName(scope: string, version: string): string {
  return `webkiln ${scope} ${version}`;
}
