/** A server's address as a person types it, and what a browser makes of it. */

import { ServerError } from "./errors";

/** Where the OpenAI-shaped interface of Ollama, llama.cpp, LM Studio and vLLM begins. */
const INTERFACE = "/v1";

/** The address that `/models` and `/chat/completions` are appended to. */
export function baseAddress(typed: string, allowed: readonly string[]): string {
  const url = parsed(typed.trim());
  if (!allowed.includes(url.origin)) {
    throw new ServerError(
      "server-not-allowed",
      `${url.origin} is not one of the servers this site may contact: ${allowed.join(", ")}`,
      "Name one of those, or have the site's owner allow it with --allow-server.",
      { address: url.origin, allowed: [...allowed] },
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  return url.origin + (path === "" ? INTERFACE : path);
}

/** The server that a typed address names; "" for none, and for one this site may not contact. */
export function allowedOrigin(typed: string, allowed: readonly string[]): string {
  const origin = URL.canParse(typed.trim()) ? new URL(typed.trim()).origin : "";
  return allowed.includes(origin) ? origin : "";
}

function parsed(typed: string): URL {
  const url = URL.canParse(typed) ? new URL(typed) : null;
  // A user name, a query or a fragment would be left out or, worse, sent along. IPv6 addresses have
  // no form in a page's policy, so no site can allow them.
  const extra = url && (url.username || url.password || url.search || url.hash);
  const plain = url && !extra && !url.hostname.startsWith("[");
  if (plain && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new ServerError(
    "server-address",
    `${typed} is no address of a server`,
    "Write it like http://localhost:11434.",
    { address: typed },
  );
}

export function isLoopback(host: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/i.test(host);
}

/** Whether browsers take the request for mixed content: plain http from a page that came by https. */
export function isMixed(page: string, server: string): boolean {
  const { protocol, hostname } = new URL(server);
  return new URL(page).protocol === "https:" && protocol === "http:" && !isLoopback(hostname);
}

/** Chromium lets an https page ask an http server in the local network that is declared to be one. */
export function addressSpace(page: string, server: string): { targetAddressSpace?: string } {
  return isMixed(page, server) ? { targetAddressSpace: "local" } : {};
}

/** Names of Chromium's permission, newest first; other browsers know none of them. */
const LOOPBACK = ["loopback-network", "local-network-access"];
const LOCAL = ["local-network", "local-network-access"];

/** The permission to contact servers on this device or in its network; undefined: there is none. */
export async function localPermission(server: string): Promise<PermissionState | undefined> {
  const names = isLoopback(new URL(server).hostname) ? LOOPBACK : LOCAL;
  for (const name of names) {
    try {
      const status = await navigator.permissions.query({ name: name as PermissionName });
      return status.state;
    } catch {
      // Not a name this browser knows.
    }
  }
  return undefined;
}
