/**
 * Who may write a conversation: one tab at a time holds its lock (Web Locks), and the browser gives
 * it to the next when that tab closes or crashes. Where there are no locks every tab may; the mark
 * in the record (`Summary.writer`) then is all that keeps them apart.
 */

/** The right to write one conversation. */
export interface Hold {
  release(): void;
  /** Resolves when it was released, or stolen by another tab. */
  readonly ended: Promise<void>;
}

/** Null if another tab has it (`ifAvailable`), or if `signal` is aborted before it is granted. */
export function takeHold(id: string, options: LockOptions): Promise<Hold | null> {
  const { locks } = navigator;
  if (!locks) return Promise.resolve(unlocked());
  return new Promise((resolve) => {
    const ended: Promise<void> = locks
      .request(`webkiln.conversation.${id}`, options, (lock) => {
        if (!lock) return resolve(null);
        return new Promise<void>((release) => resolve({ release, ended }));
      })
      .catch(() => resolve(null));
  });
}

function unlocked(): Hold {
  let release = () => {};
  const ended = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { release, ended };
}
