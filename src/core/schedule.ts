import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './instant.js';
import { fnv1a } from './naming.js';

/**
 * When the next sync starts. Stitch's rule: next start = previous start + frequency; a slot that
 * comes up while a sync runs is skipped, not queued (replication scheduling, read 2026-11).
 *
 *   every 30 min, started 12:00, ended 12:42   →   13:00, one slot skipped
 */
const UNITS_MS: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
};

/** Frequencies below this would re-read the overlap all the time. */
export const EVERY_MS_MIN = 10 * SECOND_MS;
export const EVERY_MS_MAX = 31 * DAY_MS;

/** `90s`, `30m`, `6h`, `1d` in milliseconds; undefined when it is none of these or out of bounds. */
export function parseEvery(text: string): number | undefined {
  const match = /^\s*(\d{1,6})\s*(s|m|h|d)\s*$/i.exec(text);
  const unitMs = UNITS_MS[match?.[2]?.toLowerCase() ?? ''];
  if (!match || unitMs === undefined) return undefined;
  const everyMs = Number(match[1]) * unitMs;
  return everyMs >= EVERY_MS_MIN && everyMs <= EVERY_MS_MAX ? everyMs : undefined;
}

/** `02:00` in minutes after midnight UTC; undefined when it is no time of day. */
export function parseAnchor(text: string): number | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : undefined;
}

export interface Timetable {
  readonly everyMs: number;
  /** Minutes after midnight UTC that the slots are counted from; null = from the previous start. */
  readonly anchorMinutes: number | null;
  /** Whose second of the minute the slots lie at, a connection's schema; null = whenever. */
  readonly staggerBy: string | null;
}

export interface NextStart {
  readonly atMs: number;
  readonly skippedSlots: number;
}

/**
 * The first slot that comes after `previousStartMs` and is not over at `nowMs`. Slots lie at
 * `previousStartMs + k × every`, or at `anchor + k × every` when there is an anchor: counted from
 * 1970 and not from the day, so that every two days, or seven hours, stay what they are. Either way
 * they are moved to the connection's own second (see `staggerOf`): by half a minute at most without
 * an anchor, and never before it with one.
 */
export function nextStart(table: Timetable, previousStartMs: number, nowMs: number): NextStart {
  const { everyMs, anchorMinutes } = table;
  const { spreadMs, offsetMs } = staggerOf(table);
  const baseMs =
    anchorMinutes === null
      ? Math.round((previousStartMs - offsetMs) / spreadMs) * spreadMs + offsetMs
      : anchorMinutes * MINUTE_MS + offsetMs;
  const slotAfter = (ms: number): number => Math.floor((ms - baseMs) / everyMs) + 1;
  // The previous start is slot 0 also where its own second lies a little after it.
  const first = anchorMinutes === null ? 1 : slotAfter(previousStartMs);
  const next = Math.max(first, slotAfter(nowMs - 1));
  return { atMs: baseMs + next * everyMs, skippedSlots: next - first };
}

/**
 * Connections that were started together, that one outage held up, or that share an anchor, would
 * begin in the same second for ever. So each has a second of its own in each `spreadMs`: a minute,
 * or a tenth of a short frequency, that the frequency is a multiple of.
 */
export function staggerOf(table: Pick<Timetable, 'everyMs' | 'staggerBy'>): {
  readonly spreadMs: number;
  readonly offsetMs: number;
} {
  const { everyMs, staggerBy } = table;
  const longestMs = Math.min(MINUTE_MS, everyMs / 10);
  for (let spreadMs = MINUTE_MS; spreadMs > SECOND_MS; spreadMs -= SECOND_MS) {
    if (staggerBy === null || spreadMs > longestMs || everyMs % spreadMs !== 0) continue;
    const seconds = spreadMs / SECOND_MS;
    return { spreadMs, offsetMs: (fnv1a(staggerBy) % seconds) * SECOND_MS };
  }
  return { spreadMs: 1, offsetMs: 0 };
}
