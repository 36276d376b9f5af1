/** Conversations as files: JSON, which comes back whole, and Markdown, which is for reading. */

import type { Turn } from "../conversation";
import { panels } from "../panel-words";
import type { Conversation } from "../store/records";
import { words } from "../words";

/** What the two are called wherever they are offered. */
export const JSON_NAME = "JSON";
export const MARKDOWN = "Markdown";

export const FORMAT = "webkiln-conversations";
export const VERSION = 1;

/** One conversation in an export; docs/conversations.md describes every field. */
export interface Exported {
  id: string;
  title: string;
  named: boolean;
  model: string;
  serverModel: string;
  created: string;
  updated: string;
  system: string;
  turns: Turn[];
}

export function toJson(conversations: Conversation[], now: Date): string {
  const exported = { format: FORMAT, version: VERSION, exported: now.toISOString() };
  return `${JSON.stringify({ ...exported, conversations: conversations.map(entry) }, null, 2)}\n`;
}

function entry({ summary, turns }: Conversation): Exported {
  const { id, title, named, model, serverModel, created, updated, system } = summary;
  const moments = { created: moment(created), updated: moment(updated) };
  return { id, title, named, model, serverModel, ...moments, system, turns };
}

function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function toMarkdown(conversations: Conversation[]): string {
  return `${conversations.map(oneMarkdown).join("\n\n---\n\n")}\n`;
}

function oneMarkdown({ summary, turns }: Conversation): string {
  const { title, model, serverModel, updated, system } = summary;
  const date = moment(updated).slice(0, 16).replace("T", " ");
  const by = serverModel ? words.server.named(serverModel) : model;
  const facts = [by, `${date} UTC`].filter((fact) => fact !== "").join(" · ");
  const prompt = system.trim() ? [`**${words.settings.system}:** ${system.trim()}`] : [];
  return [`# ${heading(title)}`, `*${facts}*`, ...prompt, ...turns.flatMap(turnMarkdown)].join(
    "\n\n",
  );
}

function turnMarkdown({ role, content, finish }: Turn): string[] {
  const name = role === "user" ? words.chat.you : words.chat.answer;
  const interrupted = role === "assistant" && finish === undefined;
  return [`## ${name}`, content.trim(), ...(interrupted ? [`*${words.chat.interrupted}*`] : [])];
}

/** A title may hold what Markdown takes for a heading's end, or for markup. */
function heading(title: string): string {
  const line = title.replace(/\s+/g, " ").trim() || panels.history.untitled;
  return line.replace(/[\\`*_[\]<>#]/g, "\\$&");
}

/** A file name of letters and digits that every system takes. */
export function fileName(conversations: Conversation[], now: Date, ending: string): string {
  const [only, more] = conversations;
  const name =
    only && !more ? only.summary.title : `conversations ${now.toISOString().slice(0, 10)}`;
  const plain = name.normalize("NFC").replace(/[^\p{L}\p{N}]+/gu, "-");
  const short = [...plain]
    .slice(0, 60)
    .join("")
    .replace(/^-+|-+$/g, "");
  return `webkiln-${short || "conversation"}.${ending}`;
}
