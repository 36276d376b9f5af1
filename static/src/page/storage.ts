/**
 * What the page remembers: `session` for this tab, `local` for this browser. Reading yields null
 * and writing is forgotten where a browser blocks storage or has no room: a chat without memory
 * beats no chat.
 */

export interface Memory {
  read(key: string): string | null;
  write(key: string, value: string): void;
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
  };
}

export const session = memory(() => sessionStorage);
export const local = memory(() => localStorage);
