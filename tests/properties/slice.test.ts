import fc from 'fast-check';
import { expect, it } from 'vitest';
import { instantFromMillis, parseInstant, type Instant } from '../../src/core/instant.js';
import { END_OF_TIME, historySlices, planSlices } from '../../src/core/slice.js';
import { sliceId } from '../../src/core/stream.js';
import { APPENDED } from '../core/streams.js';
import './seeded.js';

const instant: fc.Arbitrary<Instant> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.integer({ min: Date.UTC(1960, 0), max: Date.UTC(2040, 0) }),
        fc.integer({ min: 0, max: 999 }),
      )
      .map(([ms, micros]) => {
        const text = instantFromMillis(ms);
        return `${text.slice(0, 23)}${String(micros).padStart(3, '0')}Z` as Instant;
      }),
  },
  // Edges of the grid themselves.
  {
    weight: 2,
    arbitrary: fc.nat(20_000).map((day) => instantFromMillis(day * 86_400_000)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('0001-01-01', '1969-12-31T23:59:59.999999Z', '1970-01-01')
      .map((text) => parseInstant(text) as Instant),
  },
);
const range = fc
  .tuple(instant, instant)
  .map(([a, b]) => (a < b ? { from: a, to: b } : { from: b, to: a }));
const sliceDays = fc.option(fc.constantFrom(1, 7, 30, 365));

it('covers a range exactly, newest first, without a gap, an overlap or an empty slice', () => {
  fc.assert(
    fc.property(range, sliceDays, ({ from, to }, days) => {
      const slices = planSlices(APPENDED, { name: 'p', sliceDays: days }, { from, to });

      expect([slices.at(-1)?.from, slices[0]?.to]).toEqual(
        from === to ? [undefined, undefined] : [from, to],
      );
      // One expectation for all of them: there may be 25,000.
      const wrong = slices.filter(
        (slice, index) =>
          slice.from >= slice.to || (index > 0 && slice.to !== slices[index - 1]?.from),
      );
      expect(wrong).toEqual([]);
    }),
  );
});

it('shares with any other range all slices but those at the four ends', () => {
  fc.assert(
    fc.property(range, range, fc.constantFrom(1, 30), (first, second, days) => {
      const part = { name: 'p', sliceDays: days };
      const seconds = new Set(planSlices(APPENDED, part, second).map(sliceId));

      const inside = planSlices(APPENDED, part, first).filter(
        ({ from, to }) =>
          from > first.from && to < first.to && from >= second.from && to <= second.to,
      );

      expect(inside.every((slice) => seconds.has(sliceId(slice)))).toBe(true);
    }),
  );
});

it('covers what lies ahead too, each instant once', () => {
  fc.assert(
    fc.property(range, sliceDays, instant, (whole, days, moment) => {
      const part = { name: 'p', sliceDays: days, overlapMs: 0, readsFuture: true };

      const slices = historySlices({ ...APPENDED, parts: [part] }, whole, true);

      const holders = slices.filter(({ from, to }) => from <= moment && moment < to);
      expect(holders).toHaveLength(moment >= whole.from ? 1 : 0);
      expect(slices[0]?.to).toBe(END_OF_TIME);
    }),
  );
});
