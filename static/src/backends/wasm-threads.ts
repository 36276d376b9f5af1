/** How many threads to compute with, by default, on so many logical processors. */
export function defaultThreads(cores: number): number {
  if (cores <= 4) return Math.max(1, cores);
  // Half of them are often the other half's hyperthreads, or slow cores that would add little.
  return Math.max(4, Math.min(8, Math.floor(cores / 2)));
}
