/** One tab at a time does a piece of work; without Web Locks each does its own. */

import { aborted } from "../engine/errors";

/** `onWait` is told that another tab is at it, and returns what to call when the wait is over. */
export async function alone<T>(
  name: string,
  signal: AbortSignal,
  onWait: () => () => void,
  work: () => Promise<T>,
): Promise<T> {
  let begun = false;
  const begin = (): Promise<T> => {
    begun = true;
    return work();
  };
  const { locks } = navigator;
  if (!locks) return begin();
  let done = (): void => {};
  try {
    const held = async (lock: Lock | null) => (lock ? { value: await begin() } : null);
    const first = await locks.request(name, { ifAvailable: true }, held);
    if (first !== null) return first.value;
    done = onWait();
    return await locks.request(name, { signal }, () => {
      done();
      return begin();
    });
  } catch (error) {
    if (begun) throw error;
    if (signal.aborted) throw aborted();
    return begin(); // a page that may not have locks
  } finally {
    done();
  }
}
