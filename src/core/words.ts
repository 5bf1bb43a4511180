import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './instant.js';

/** How numbers, times and slices are told to people, in every place alike. */

/** `12345` → `12,345`, whatever the machine's language is. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** `2026-11-28T08:03:12.000000Z` → `2026-11-28 08:03 UTC`. */
export function minuteOf(instant: string): string {
  return `${instant.slice(0, 16).replace('T', ' ')} UTC`;
}

/** A length of time in its largest unit: `4 s`, `35 min`, `6 h`, `12 d`. Never below zero. */
export function duration(durationMs: number): string {
  const units = [
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['min', MINUTE_MS],
  ] as const;
  const [unit, unitMs] = units.find(([, ms]) => durationMs >= ms) ?? ['s', SECOND_MS];
  return `${Math.max(0, Math.floor(durationMs / unitMs))} ${unit}`;
}

/**
 * A slice by its stream and its text form (`core/stream.ts`):
 *
 *   activities activity:2026-08-05T…Z/2026-09-04T…Z  →  activities 2026-08-05 to 2026-09-04 (activity)
 *   leads lead:2026-11-28T08:03:…Z/2026-11-28T08:33:…Z  →  leads 2026-11-28 08:03 to 08:33 (lead)
 *   users list:2025-11-28T…Z/2026-11-28T…Z           →  users, the whole list
 */
export function sliceWords({ stream, slice }: SliceName): string {
  const [, part, from = '', to = ''] = /^(.+?):(\d{4}-[^/]+)\/(.+)$/.exec(slice) ?? [];
  if (part === undefined) return `${stream} ${slice}`;
  if (part === 'list') return `${stream}, the whole list`;
  if (part === 'census') return `${stream}, all that there is`;
  const [fromDay, toDay] = [from.slice(0, 10), to.slice(0, 10)];
  if (to.startsWith('9999')) return `${stream} ${fromDay} on (${part})`;
  const range =
    fromDay === toDay
      ? `${minuteOf(from).slice(0, 16)} to ${to.slice(11, 16)}`
      : `${fromDay} to ${toDay}`;
  return `${stream} ${range} (${part})`;
}

interface SliceName {
  readonly stream: string;
  readonly slice: string;
}
