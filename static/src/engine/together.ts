/**
 * All results, or the first failure. Whoever is left is then told to stop through the signal and
 * has ended when the failure is thrown: nothing goes on behind the caller's back.
 */
export async function together<T extends readonly unknown[]>(
  signal: AbortSignal,
  start: (signal: AbortSignal) => { [K in keyof T]: Promise<T[K]> },
): Promise<{ -readonly [K in keyof T]: T[K] }> {
  const scope = new AbortController();
  const work = start(AbortSignal.any([signal, scope.signal]));
  try {
    return await Promise.all(work);
  } catch (error) {
    scope.abort();
    await Promise.allSettled(work);
    throw error;
  }
}
