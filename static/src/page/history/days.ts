/** Conversations by the day on which they last went on. */

import { panels } from "../panel-words";
import type { Summary } from "../store/schema";

export interface Day {
  /** "Today", "Yesterday", "Monday", "12 March", "12 March 2024". */
  name: string;
  summaries: Summary[];
}

const WEEK = 7; // days that have their weekday's name

/** Of conversations that are sorted, newest first. */
export function byDay(summaries: Summary[], now: Date, language: string): Day[] {
  const days: Day[] = [];
  for (const summary of summaries) {
    const name = dayName(summary.updated, now, language);
    const last = days.at(-1);
    if (last?.name === name) last.summaries.push(summary);
    else days.push({ name, summaries: [summary] });
  }
  return days;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Made once: making a format takes longer than using it a hundred times. */
export function dateFormat(
  language: string,
  options: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  const format = formats.get(key) ?? new Intl.DateTimeFormat(language, options);
  formats.set(key, format);
  return format;
}

/** What the day of a moment is called. */
export function dayName(moment: number, now: Date, language: string): string {
  if (moment === 0) return panels.history.longAgo; // a damaged record
  const date = new Date(moment);
  const ago = daysBetween(date, now);
  // A clock that was set back makes conversations of the future.
  if (ago <= 0) return panels.history.today;
  if (ago === 1) return panels.history.yesterday;
  if (ago < WEEK) return dateFormat(language, { weekday: "long" }).format(date);
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return dateFormat(language, { day: "numeric", month: "long", ...year }).format(date);
}

/** Midnights between the two; days of 23 and 25 hours are days. */
function daysBetween(earlier: Date, later: Date): number {
  const day = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return (day(later) - day(earlier)) / 86_400_000;
}
