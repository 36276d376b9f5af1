/** Figures for people. Decimal units, as disks and networks use them. */

const UNITS: [string, number][] = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
];

export function bytes(count: number): string {
  for (const [unit, size] of UNITS) {
    if (count >= size) return `${(count / size).toFixed(1)} ${unit}`;
  }
  return `${count} B`;
}

/** Seconds as "8 s", "2 min 5 s", "1 h 4 min"; never "0 s left". */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Tokens per second with as many digits as mean something. */
export function speed(tokens: number, seconds: number): string {
  const rate = tokens / Math.max(seconds, 1e-3);
  return `${rate.toFixed(rate < 10 ? 1 : 0)} tok/s`;
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
