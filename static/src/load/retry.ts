/** How long to wait before asking again. */

export const TRIES = 5; // of each address, without anything new arriving
const FIRST_MS = 500; // doubled after each failure
const LONGEST_MS = 30_000;
const LONGEST_ASKED_MS = 60_000; // a server that asks for more is not heard

/** Milliseconds after the `failures`th failure in a row: spread, so that visitors do not march in step. */
export function backoff(failures: number, firstMs = FIRST_MS, random = Math.random): number {
  const full = Math.min(firstMs * 2 ** (failures - 1), LONGEST_MS);
  return full * (0.5 + random() / 2);
}

/** What a Retry-After header asks for, in milliseconds; 0 where there is none. */
export function retryAfter(header: string | null, now = Date.now()): number {
  if (header === null) return 0;
  const wait = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Math.min(Math.max(wait || 0, 0), LONGEST_ASKED_MS);
}

/** Sleeps; false when the signal ended it. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const wake = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", wake);
      resolve(true);
    }, milliseconds);
    signal.addEventListener("abort", wake, { once: true });
  });
}
