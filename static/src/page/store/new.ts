/** The beginning of a conversation. */

import type { Conversation } from "./records";
import type { Summary } from "./schema";

/** Marks what this tab writes; another one after every load of the page. */
export const TAB = randomId();

export function newSummary(): Summary {
  const now = Date.now();
  return {
    id: randomId(),
    title: "",
    named: false,
    model: "",
    serverModel: "",
    server: null,
    created: now,
    updated: now,
    system: "",
    writer: TAB,
  };
}

export function blank(): Conversation {
  return { summary: newSummary(), turns: [] };
}

/** 128 random bits; `crypto.randomUUID` would ask for a secure context. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
