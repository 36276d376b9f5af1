/** What an import adds to the conversations that are here, with nothing lost and nothing twice. */

import type { Turn } from "../conversation";
import { randomId } from "../store/new";
import type { Conversation } from "../store/records";

export interface Merged {
  /** To be written: new ones, and longer versions of those that are here. */
  added: Conversation[];
  /** How many were here already, as they are or longer. */
  known: number;
}

/**
 * The same conversation at two times: the longer one stays. Where the two went different ways, the
 * imported one is put beside the other under a new id; imported once more, it is known by its turns.
 */
export function merge(here: Conversation[], imported: Conversation[]): Merged {
  const byId = new Map(here.map((each) => [each.summary.id, each]));
  const spelt = new Set(here.map(spelling));
  const added: Conversation[] = [];
  for (const each of imported) {
    const twin = byId.get(each.summary.id);
    if (spelt.has(spelling(each)) || (twin && begins(twin.turns, each.turns))) continue;
    added.push(!twin || begins(each.turns, twin.turns) ? each : renewed(each));
  }
  return { added, known: imported.length - added.length };
}

function renewed({ summary, turns }: Conversation): Conversation {
  return { summary: { ...summary, id: randomId() }, turns };
}

/** Whether `all` begins with `part`; an answer cut short is the beginning of one that went on. */
function begins(all: Turn[], part: Turn[]): boolean {
  return part.every(({ role, content, finish }, index) => {
    const other = all[index];
    if (other?.role !== role) return false;
    const open = index === part.length - 1 && role === "assistant" && finish !== "stop";
    return open ? other.content.startsWith(content) : other.content === content;
  });
}

function spelling({ summary, turns }: Conversation): string {
  const words = turns.map(({ role, content }) => [role, content]);
  return JSON.stringify([summary.created, words]);
}
