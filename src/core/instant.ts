/**
 * Instants to the microsecond, as Close gives them. A JavaScript `Date` stops at the millisecond,
 * so two versions of one record can look equal to it.
 *
 *   parseInstant('2022-11-09T13:25:53.72+02:00')  →  '2022-11-09T11:25:53.720000Z'
 *   parseInstant('2022-11-09T11:25:53')           →  '2022-11-09T11:25:53.000000Z'   (no zone = UTC)
 *   parseInstant('2022-11-09')                    →  '2022-11-09T00:00:00.000000Z'
 *   parseInstant('Tue, 08 Nov 2022 08:09:09')     →  undefined
 *
 * Invariant: every Instant has the same length and ends in `Z`, so comparing two as text compares
 * them in time. Years 0001 to 9999 only; anything else is not an Instant and stays text. What is
 * below the microsecond is cut: PostgreSQL cannot hold it, and a cut instant still orders versions.
 */
export type Instant = string & { readonly __brand: 'Instant' };

const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * What Close sends nearly always: in UTC, to the second or microsecond, on a day that each month
 * has. Such a text needs no arithmetic.
 */
const PLAIN =
  /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?(?:Z|\+00:00)$/;

/** The instant in `text`, or undefined when it is not an ISO 8601 date or date-time. */
export function parseInstant(text: string): Instant | undefined {
  if (PLAIN.test(text)) {
    const micros = text[19] === '.' ? text.slice(19, 26) : '.000000';
    return `${text.slice(0, 19)}${micros}Z` as Instant;
  }
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone] =
    match;
  if (year === '0000' || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return undefined;
  }
  const civil = `${year}-${month}-${day}`;
  const midnightMs = Date.parse(`${civil}T00:00:00Z`);
  // Date.parse turns 30 February into 2 March in some forms; only a date that survives is real.
  if (Number.isNaN(midnightMs) || new Date(midnightMs).toISOString().slice(0, 10) !== civil) {
    return undefined;
  }
  const micros = fraction.padEnd(6, '0').slice(0, 6);
  const offsetMinutes = zoneMinutes(zone);
  if (offsetMinutes === undefined) return undefined;
  if (offsetMinutes === 0) return `${civil}T${hour}:${minute}:${second}.${micros}Z` as Instant;
  const timeMs =
    ((Number(hour) * 60 + Number(minute) - offsetMinutes) * 60 + Number(second)) * 1000;
  return fromMillis(midnightMs + timeMs, micros);
}

function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2) || '0');
  // No clock on earth is so far off: whatever `+99:99` means, it is no time that we could tell.
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function fromMillis(ms: number, micros: string): Instant | undefined {
  const iso = new Date(ms).toISOString();
  // Outside 0001–9999 toISOString changes its length, and text order would no longer be time order.
  if (iso.length !== 24 || iso.startsWith('0000')) return undefined;
  return `${iso.slice(0, 19)}.${micros}Z` as Instant;
}

/** The instant of a clock reading in milliseconds since 1970. Throws RangeError outside 0001–9999. */
export function instantFromMillis(ms: number): Instant {
  const whole = Math.floor(ms);
  const instant = fromMillis(
    whole,
    `${String(((whole % 1000) + 1000) % 1000).padStart(3, '0')}000`,
  );
  if (instant === undefined) throw new RangeError('instant outside the years 0001 to 9999');
  return instant;
}

/** Milliseconds since 1970, microseconds cut off. */
export function toMillis(instant: Instant): number {
  return Date.parse(`${instant.slice(0, 23)}Z`);
}

/** `instant` moved by whole milliseconds; its microseconds stay. */
export function addMillis(instant: Instant, ms: number): Instant {
  const moved = instantFromMillis(toMillis(instant) + ms);
  return `${moved.slice(0, 23)}${instant.slice(23, 26)}Z` as Instant;
}

/** The start of the instant's minute, for Close's text search, which compares by the minute. */
export function floorToMinute(instant: Instant): Instant {
  return `${instant.slice(0, 16)}:00.000000Z` as Instant;
}

export function earlier(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}

export function later(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
