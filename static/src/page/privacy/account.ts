/** What the requests come to: which are why, where they went, and what that means. */

import { fileFor } from "../../sw/files";
import type { RequestRecord } from "../engine";
import { panels } from "../panel-words";
import { words } from "../words";
import type { Sent } from "./ledger";

export type Why = "page" | "engine" | "model" | "offline" | "server";

/** What the page knows of its site. */
export interface SiteFacts {
  origin: string;
  /** Its folder, below which the service worker is asked. */
  home: string;
  /** Addresses below which the models' files lie. */
  models: string[];
  /** Servers that a person may choose. */
  servers: string[];
}

const ENGINE = /\/assets\/[^/]+\/(engine|engine-[\w-]+|worker|thread|pace)\.js$/;
const ORDER: Why[] = ["server", "model", "engine", "page", "offline"];

export function why({ address, by }: RequestRecord, site: SiteFacts): Why {
  const url = new URL(address);
  if (by === "service-worker" || url.pathname.endsWith("/sw.js")) return "offline";
  if (ENGINE.test(url.pathname) || by === "thread") return "engine";
  if (by === "worker" || site.models.some((folder) => address.startsWith(folder))) return "model";
  return site.servers.includes(url.origin) ? "server" : "page";
}

export interface Group {
  why: Why;
  requests: RequestRecord[];
  /** Bytes over the network, as far as they are told. */
  bytes: number;
  /** Bytes of bodies. */
  sent: number;
}

export function groups(requests: RequestRecord[], sent: Sent[], site: SiteFacts): Group[] {
  const bodies = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  return ORDER.map((reason) => {
    const own = requests.filter((request) => why(request, site) === reason);
    const bytes = own.reduce((sum, request) => sum + overNetwork(request, site), 0);
    return { why: reason, requests: own, bytes, sent: reason === "server" ? bodies : 0 };
  }).filter((group) => group.requests.length > 0);
}

function overNetwork(request: RequestRecord, site: SiteFacts): number {
  return isAnswered(request, site) ? 0 : (request.bytes ?? 0);
}

/**
 * By the service worker, which tells itself what it fetched for that. It is asked about all that
 * its pages request, and leaves to the browser what is no file of the site, models above all.
 */
function isAnswered({ address, initiator, relayed }: RequestRecord, { home }: SiteFacts): boolean {
  const mode = initiator === "navigation" ? "navigate" : "cors";
  return relayed && fileFor({ url: address, mode, headers: new Headers() }, home) !== null;
}

export interface Conclusion {
  sentence: string;
  /** Something is there that should not be. */
  alert: boolean;
}

/** The whole in a sentence. */
export function conclude(requests: RequestRecord[], sent: Sent[], site: SiteFacts): Conclusion {
  const { allHere, listed, toServer, unlisted } = panels.privacy;
  const count = panels.privacy.requests(requests.length);
  const modelOrigins = new Set(site.models.map((address) => new URL(address).origin));
  const abroad = originsOf(requests).filter((origin) => origin !== site.origin);
  const known = (origin: string) => modelOrigins.has(origin) || site.servers.includes(origin);
  const strange = abroad.filter((origin) => !known(origin));
  if (strange.length > 0) return { sentence: unlisted(strange), alert: true };
  const servers = [...new Set(sent.map(({ address }) => new URL(address).origin))];
  if (servers.length > 0) {
    return { sentence: toServer(count, words.figures.list(servers)), alert: false };
  }
  const sentence = abroad.length === 0 ? allHere(count) : listed(count, abroad);
  return { sentence, alert: false };
}

function originsOf(requests: RequestRecord[]): string[] {
  return [...new Set(requests.map(({ address }) => new URL(address).origin))];
}

/** "the model's worker · 1.2 MB over the network". */
export function detail(request: RequestRecord, site: SiteFacts): string {
  const { by, failed } = panels.privacy;
  const parts = [by[request.by], sizeOf(request, site)];
  if (request.status >= 400) parts.push(`${failed} (${request.status})`);
  return parts.join(" · ");
}

function sizeOf(request: RequestRecord, site: SiteFacts): string {
  const { network, kept, untold, byWorker } = panels.privacy;
  const { bytes } = request;
  if (isAnswered(request, site)) return byWorker;
  if (bytes === null) return untold;
  return bytes > 0 ? network(bytes) : kept;
}

/** One request a line, for a file or a letter. */
export function asText(requests: RequestRecord[], sent: Sent[], site: SiteFacts): string {
  const lines = requests.map((request) => {
    const { address, at, bytes, by, status } = request;
    const size = isAnswered(request, site) ? "relayed" : (bytes ?? "unknown");
    return [new Date(at).toISOString(), by, why(request, site), status, size, address].join("\t");
  });
  const bodies = sent.map(({ address, bytes }) => `sent\t${bytes}\t${address}`);
  const head = ["time", "by", "why", "status", "bytes", "address"].join("\t");
  return [conclude(requests, sent, site).sentence, "", head, ...lines, ...bodies, ""].join("\n");
}
