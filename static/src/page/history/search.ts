/** Search in titles and texts: every word of the query has to occur somewhere in a conversation. */

import type { Conversation } from "../store/records";

/** What is searched of one conversation, without cases and accents. */
interface Entry {
  title: string;
  /** The turns, as they are and as they are searched; both have the same length. */
  text: string;
  folded: string;
}

/** Part of a text around a word that was looked for. */
export interface Snippet {
  before: string;
  match: string;
  after: string;
}

const AROUND = 40; // characters before a match
const AFTER = 80;

export class Index {
  private readonly entries = new Map<string, Entry>();

  set({ summary, turns }: Conversation): void {
    const text = turns
      .map(({ content }) => content)
      .join("\n")
      .normalize("NFC");
    this.entries.set(summary.id, { title: fold(summary.title), text, folded: fold(text) });
  }

  remove(id: string): void {
    this.entries.delete(id);
  }

  /** Conversations that hold every word, each with the place of the first one in its texts. */
  find(query: string): Map<string, Snippet | null> {
    const words = fold(query.normalize("NFC")).split(/\s+/).filter(Boolean);
    const found = new Map<string, Snippet | null>();
    if (words.length === 0) return found;
    for (const [id, entry] of this.entries) {
      const { title, folded } = entry;
      if (!words.every((word) => title.includes(word) || folded.includes(word))) continue;
      const word = words.find((each) => folded.includes(each));
      found.set(id, word === undefined ? null : snippet(entry, word));
    }
    return found;
  }
}

function snippet({ text, folded }: Entry, word: string): Snippet {
  const at = folded.indexOf(word);
  const end = at + word.length;
  const begin = Math.max(0, at - AROUND);
  const line = (part: string) => part.replace(/\s+/g, " ");
  return {
    before: (begin > 0 ? "…" : "") + line(text.slice(begin, at)).trimStart(),
    match: line(text.slice(at, end)),
    after: line(text.slice(end, end + AFTER)).trimEnd() + (end + AFTER < text.length ? "…" : ""),
  };
}

/** Lower case without accents; every unit of the text stays one, so that places agree. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return (lower.length === text.length ? lower : lowerEach(text)).replace(
    /[\u00c0-\u024f\u1e00-\u1eff]/g,
    (letter) => {
      const plain = letter.normalize("NFD").charAt(0);
      return plain === "" ? letter : plain;
    },
  );
}

/** A few capitals grow when they are made small; they stay as they are. */
function lowerEach(text: string): string {
  return text.replace(/\p{Lu}/gu, (letter) => {
    const lower = letter.toLowerCase();
    return lower.length === letter.length ? lower : letter;
  });
}
