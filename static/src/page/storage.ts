/**
 * What the page remembers: `session` for this tab, `local` for this browser. Reading yields null
 * and writing is forgotten where a browser blocks storage or has no room: a chat without memory
 * beats no chat.
 */

export interface Memory {
  read(key: string): string | null;
  write(key: string, value: string): void;
  remove(key: string): void;
  /** Every key, other pages' of this origin too. */
  keys(): string[];
}

/** `storage` is a function because a blocked browser throws already at `window.localStorage`. */
export function memory(storage: () => Storage): Memory {
  return {
    read(key) {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    write(key, value) {
      try {
        storage().setItem(key, value);
      } catch {
        // Blocked or full: see above.
      }
    },
    remove(key) {
      try {
        storage().removeItem(key);
      } catch {
        // Blocked: there is nothing to remove.
      }
    },
    keys() {
      try {
        const all = storage();
        return Array.from({ length: all.length }, (_, index) => all.key(index) ?? "");
      } catch {
        return [];
      }
    },
  };
}

export const session = memory(() => sessionStorage);
export const local = memory(() => localStorage);
