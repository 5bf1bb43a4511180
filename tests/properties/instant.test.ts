import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  addMillis,
  floorToMinute,
  instantFromMillis,
  parseInstant,
  toMillis,
  type Instant,
} from '../../src/core/instant.js';
import './seeded.js';

const FIRST_MS = Date.parse('0001-01-02T00:00:00Z');
const LAST_MS = Date.parse('9999-12-30T00:00:00Z');
const milliseconds = fc.oneof(
  fc.integer({ min: FIRST_MS, max: LAST_MS }),
  fc.integer({ min: -5, max: 5 }),
);
/** Microseconds since 1970: what an instant holds, in one number without rounding. */
const microseconds = fc
  .tuple(milliseconds, fc.integer({ min: 0, max: 999 }))
  .map(([ms, micros]) => BigInt(ms) * 1000n + BigInt(micros));

function instantOf(micros: bigint): Instant {
  const below = ((micros % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((micros - below) / 1000n)).toISOString();
  return parseInstant(text.replace('Z', `${String(below).padStart(3, '0')}Z`)) as Instant;
}

it('orders as text what is ordered in time', () => {
  fc.assert(
    fc.property(microseconds, microseconds, (first, second) => {
      const [a, b] = [instantOf(first), instantOf(second)];

      expect([a < b, a === b]).toEqual([first < second, first === second]);
      expect(a).toHaveLength(27);
    }),
  );
});

it('reads one instant from each of its offsets', () => {
  const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
  fc.assert(
    fc.property(microseconds, offset, fc.constantFrom(':', ''), (micros, minutes, colon) => {
      const instant = instantOf(micros);
      const local = addMillis(instant, minutes * 60_000).slice(0, -1);
      const digits = (count: number): string => String(count).padStart(2, '0');
      const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
      const sign = minutes < 0 ? '-' : '+';

      expect(parseInstant(`${local}${sign}${digits(hours)}${colon}${digits(rest)}`)).toBe(instant);
    }),
  );
});

it('is its own reading, and drops zeros at the end without a change', () => {
  fc.assert(
    fc.property(microseconds, (micros) => {
      const instant = instantOf(micros);

      expect(parseInstant(instant)).toBe(instant);
      expect(parseInstant(instant.replace(/\.?0*Z$/, 'Z'))).toBe(instant);
    }),
  );
});

it('adds milliseconds as numbers add, and takes them away again', () => {
  const small = fc.integer({ min: -80_000_000, max: 80_000_000 });
  fc.assert(
    fc.property(microseconds, small, (micros, ms) => {
      const instant = instantOf(micros);

      const moved = addMillis(instant, ms);

      expect(moved).toBe(instantOf(micros + BigInt(ms) * 1000n));
      expect(addMillis(moved, -ms)).toBe(instant);
    }),
  );
});

it('goes to milliseconds and back, and cuts to a minute that is not later', () => {
  fc.assert(
    fc.property(milliseconds, (ms) => {
      const instant = instantFromMillis(ms);
      const minute = floorToMinute(instant);

      expect(toMillis(instant)).toBe(ms);
      expect(toMillis(minute)).toBe(Math.floor(ms / 60_000) * 60_000);
      expect(minute <= instant).toBe(true);
    }),
  );
});

it('never throws, whatever it is given to read', () => {
  const like = fc.stringMatching(
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{4}$/,
  );
  fc.assert(
    fc.property(fc.oneof(like, fc.string({ unit: 'binary' })), (text) => {
      const instant = parseInstant(text);

      if (instant !== undefined) expect(parseInstant(instant)).toBe(instant);
    }),
  );
});
