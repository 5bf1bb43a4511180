/**
 * Times as whole microseconds since 1970 in an ordinary number: exact until the year 2255, small in
 * a typed array, and quick to compare.
 */
export const MICROS_PER_MS = 1_000;
export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND;
export const MICROS_PER_HOUR = 60 * MICROS_PER_MINUTE;
export const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;

const two: string[] = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
const three: string[] = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));
const days = new Map<number, string>();

/** `2025-11-23` */
export function dateText(micros: number): string {
  const day = Math.floor(micros / MICROS_PER_DAY);
  let text = days.get(day);
  if (text === undefined) {
    text = new Date(day * 86_400_000).toISOString().slice(0, 10);
    days.set(day, text);
  }
  return text;
}

/**
 * `2025-11-23T10:31:05.123456+00:00`, and `2025-11-23T10:31:05+00:00` when the second is whole:
 * Close leaves the fraction out then, inside one and the same list (recorded answers, 2022).
 */
export function timeText(micros: number): string {
  return `${naiveTimeText(micros)}+00:00`;
}

/** As `timeText` without the offset: pipelines, roles and custom activity types come so. */
export function naiveTimeText(micros: number): string {
  const ofDay = micros - Math.floor(micros / MICROS_PER_DAY) * MICROS_PER_DAY;
  const seconds = Math.floor(ofDay / MICROS_PER_SECOND);
  const fraction = ofDay - seconds * MICROS_PER_SECOND;
  const hour = two[Math.floor(seconds / 3600)] ?? '';
  const minute = two[Math.floor(seconds / 60) % 60] ?? '';
  const text = `${dateText(micros)}T${hour}:${minute}:${two[seconds % 60] ?? ''}`;
  if (fraction === 0) return text;
  return `${text}.${three[Math.floor(fraction / 1000)] ?? ''}${three[fraction % 1000] ?? ''}`;
}

export type Precision = 'day' | 'minute' | 'second' | 'microsecond';
export interface ParsedTime {
  readonly micros: number;
  readonly precision: Precision;
}

const PATTERN =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * Reads an ISO 8601 date or date-time. One without an offset is read in the offset that the caller
 * named in `X-TZ-Offset` (Close docs, timezone offsets, read 2026-11).
 */
export function parseTime(text: string, offsetHours = 0): ParsedTime | undefined {
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [, date = '', hour, minute = '00', second, fraction, zone] = match;
  const clock = `${hour ?? '00'}:${minute}:${second ?? '00'}`;
  const ms = Date.parse(`${date}T${clock}Z`);
  if (Number.isNaN(ms)) return undefined;
  const micros = ms * MICROS_PER_MS + Number((fraction ?? '').padEnd(6, '0').slice(0, 6));
  const precision =
    hour === undefined
      ? 'day'
      : second === undefined
        ? 'minute'
        : fraction
          ? 'microsecond'
          : 'second';
  return { micros: micros - zoneMicros(zone, offsetHours), precision };
}

/** As `parseTime`, for times that this program or a test writes itself. */
export function microsOf(text: string): number {
  const parsed = parseTime(text);
  if (!parsed) throw new RangeError(`Not an ISO 8601 time: ${text}`);
  return parsed.micros;
}

function zoneMicros(zone: string | undefined, offsetHours: number): number {
  if (zone === undefined) return offsetHours * MICROS_PER_HOUR;
  if (zone === 'Z') return 0;
  const digits = zone.replace(':', '');
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5));
  return (digits.startsWith('-') ? -minutes : minutes) * MICROS_PER_MINUTE;
}
