/** What the requests come to: which are why, where they went, and what that means. */

import type { RequestRecord } from "../engine";
import { panels } from "../panel-words";
import { words } from "../words";
import type { Sent } from "./ledger";

export type Why = "page" | "engine" | "model" | "offline" | "server";

/** What the page knows of its site. */
export interface SiteFacts {
  origin: string;
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
    const bytes = own.reduce((sum, request) => sum + overNetwork(request), 0);
    return { why: reason, requests: own, bytes, sent: reason === "server" ? bodies : 0 };
  }).filter((group) => group.requests.length > 0);
}

/** What a service worker hands on, it tells of itself. */
function overNetwork({ bytes, relayed }: RequestRecord): number {
  return relayed ? 0 : (bytes ?? 0);
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
export function detail(request: RequestRecord): string {
  const { by, failed } = panels.privacy;
  const parts = [by[request.by], sizeOf(request)];
  if (request.status >= 400) parts.push(`${failed} (${request.status})`);
  return parts.join(" · ");
}

function sizeOf({ bytes, relayed }: RequestRecord): string {
  const { network, kept, untold, byWorker } = panels.privacy;
  if (relayed) return byWorker;
  if (bytes === null) return untold;
  return bytes > 0 ? network(bytes) : kept;
}

/** One request a line, for a file or a letter. */
export function asText(requests: RequestRecord[], sent: Sent[], site: SiteFacts): string {
  const lines = requests.map((request) => {
    const { address, at, bytes, by, status, relayed } = request;
    const size = relayed ? "relayed" : (bytes ?? "unknown");
    return [new Date(at).toISOString(), by, why(request, site), status, size, address].join("\t");
  });
  const bodies = sent.map(({ address, bytes }) => `sent\t${bytes}\t${address}`);
  const head = ["time", "by", "why", "status", "bytes", "address"].join("\t");
  return [conclude(requests, sent, site).sentence, "", head, ...lines, ...bodies, ""].join("\n");
}
