import { describe, expect, it } from 'vitest';
import { HOUR_MS, parseInstant, type Instant } from '../../src/core/instant.js';
import type { SourceStream } from '../../src/core/ports.js';
import { END_OF_TIME, historySlices, isDue, liveSlice, planSlices } from '../../src/core/slice.js';
import { sliceId, type Slice } from '../../src/core/stream.js';
import { APPENDED } from './streams.js';

const at = (text: string): Instant => parseInstant(text) as Instant;
const ofDays = (sliceDays: number | null): { name: string; sliceDays: number | null } => ({
  name: 'activity',
  sliceDays,
});
const plan = (from: string, to: string, sliceDays: number | null): readonly Slice[] =>
  planSlices(APPENDED, ofDays(sliceDays), { from: at(from), to: at(to) });
const days = (slices: readonly Slice[]): string[] =>
  slices.map(({ from, to }) => `${from.slice(0, 10)}/${to.slice(0, 10)}`);

describe('planSlices', () => {
  it('cuts a range at the edges of a grid, newest first', () => {
    expect(days(plan('2025-01-10', '2025-03-01', 30))).toEqual([
      '2025-02-11/2025-03-01',
      '2025-01-12/2025-02-11',
      '2025-01-10/2025-01-12',
    ]);
  });

  it('shares all but one slice with a range that begins earlier', () => {
    const short = plan('2025-01-20', '2025-06-01', 30).map(sliceId);
    const long = plan('2024-07-05', '2025-06-01', 30).map(sliceId);

    expect(short.slice(0, -1).every((slice) => long.includes(slice))).toBe(true);
    expect(short.length).toBeGreaterThan(3);
  });

  it('begins no empty slice where the range begins or ends on an edge', () => {
    expect(days(plan('2025-01-12', '2025-02-11', 30))).toEqual(['2025-01-12/2025-02-11']);
  });

  it('makes one slice of the whole range for a part that is not sliced', () => {
    expect(days(plan('1999-01-01', '2026-11-24', null))).toEqual(['1999-01-01/2026-11-24']);
  });

  it.each([
    ['2025-01-01', '2025-01-01'],
    ['2025-01-02', '2025-01-01'],
  ])('has nothing to read from %s to %s', (from, to) => {
    expect(plan(from, to, 30)).toEqual([]);
    expect(plan(from, to, null)).toEqual([]);
  });

  it('makes one slice of all that lies before 1970', () => {
    const slices = plan('0001-01-01', '1970-03-01', 30);

    expect(days(slices)).toEqual([
      '1970-01-31/1970-03-01',
      '1970-01-01/1970-01-31',
      '0001-01-01/1970-01-01',
    ]);
    expect(days(plan('0001-01-01', '1960-01-01', 30))).toEqual(['0001-01-01/1960-01-01']);
  });

  it('comes to an end behind the end of time', () => {
    const slices = plan('9999-12-30', '9999-12-31T12:00:00Z', 1);

    expect(slices.map(({ from, to }) => [from, to])).toEqual([
      ['9999-12-30T00:00:00.000000Z', '9999-12-31T12:00:00.000000Z'],
    ]);
    expect(days(plan('9999-12-31T06:00:00Z', '9999-12-31T12:00:00Z', null))).toHaveLength(1);
  });

  it('keeps microseconds at both ends', () => {
    const [slice] = plan('2025-01-13T00:00:00.000001Z', '2025-01-13T00:00:00.000002Z', 30);

    expect(slice).toEqual({
      stream: APPENDED.name,
      part: 'activity',
      from: '2025-01-13T00:00:00.000001Z',
      to: '2025-01-13T00:00:00.000002Z',
    });
  });
});

const part = { sliceDays: 30, overlapMs: 60_000, readsFuture: false };
const stream: SourceStream = {
  ...APPENDED,
  parts: [
    { ...part, name: 'past' },
    { ...part, name: 'planned', sliceDays: null, readsFuture: true },
  ],
};
const range = { from: at('2025-01-01'), to: at('2025-01-05') };

describe('historySlices', () => {
  it('plans each part by itself, the future of a part first', () => {
    const slices = historySlices(stream, range, true);

    expect(slices.map(({ part: name, from, to }) => [name, from, to])).toEqual([
      ['past', range.from, range.to],
      ['planned', range.to, END_OF_TIME],
      ['planned', range.from, range.to],
    ]);
  });

  it('leaves the future out of a backfill that ends somewhere', () => {
    const slices = historySlices(stream, range, false);

    expect(slices.every(({ to }) => to <= range.to)).toBe(true);
  });

  it('plans no future behind the end of time', () => {
    const slices = historySlices(stream, { from: at('2025-01-01'), to: END_OF_TIME }, true);

    expect(slices.every(({ from, to }) => from < to)).toBe(true);
  });
});

describe('liveSlice', () => {
  const [past, planned] = stream.parts;
  const bookmark = at('2025-01-03T10:00:00.000005Z');
  const now = at('2025-01-03T11:00:00Z');

  it('reads the overlap again, to the microsecond', () => {
    expect(liveSlice(stream, past!, bookmark, now, false)).toEqual({
      stream: stream.name,
      part: 'past',
      from: '2025-01-03T09:59:00.000005Z',
      to: now,
    });
  });

  it('has no end for a part that reads the future', () => {
    expect(liveSlice(stream, planned!, bookmark, now, false).to).toBe(END_OF_TIME);
  });

  it('is empty, and not upside down, when the clock was set back', () => {
    const { from, to } = liveSlice(stream, past!, bookmark, at('2025-01-02'), false);

    expect(to).toBe(from);
  });
});

describe('a part that the event log tells of', () => {
  const [, planned] = stream.parts;
  const followed = { ...planned!, overlapMs: 24 * HOUR_MS, followsEvents: true };
  const bookmark = at('2025-01-03T10:00:00Z');
  const now = at('2025-01-03T11:00:00Z');

  it('is read no further back and ahead than the log', () => {
    const { from, to } = liveSlice(stream, followed, bookmark, now, true);

    expect([from, to]).toEqual([at('2025-01-03T09:55:00Z'), now]);
  });

  it('is read with its whole overlap, and into the future, when there is no log', () => {
    const { from, to } = liveSlice(stream, followed, bookmark, now, false);

    expect([from, to]).toEqual([at('2025-01-02T10:00:00Z'), END_OF_TIME]);
  });
});

describe('isDue', () => {
  const [past] = stream.parts;
  const now = at('2025-01-03T11:00:00Z');
  const list = { ...past!, everyMs: HOUR_MS };

  it('is every sync for a part without a frequency of its own', () => {
    expect(isDue(past!, null, now)).toBe(true);
  });

  it('is after its time, and not before its history was read', () => {
    expect(isDue(list, at('2025-01-03T10:00:00Z'), now)).toBe(true);
    expect(isDue(list, at('2025-01-03T10:00:01Z'), now)).toBe(false);
    expect(isDue(list, null, now)).toBe(false);
  });

  it('is never for a part of the history lane, nor the other way round', () => {
    const parts = [
      { ...past!, name: 'past', lane: 'history' },
      { ...past!, name: 'changes', lane: 'live' },
    ] as const;
    expect(parts.map((part) => isDue(part, null, now))).toEqual([false, true]);
    const slices = historySlices({ ...stream, parts }, range, true);
    expect(new Set(slices.map(({ part }) => part))).toEqual(new Set(['past']));
  });
});

describe('sliceId', () => {
  it('names the part and both ends', () => {
    const slice = { stream: 's', part: 'p', ...range };

    expect(sliceId(slice)).toBe('p:2025-01-01T00:00:00.000000Z/2025-01-05T00:00:00.000000Z');
  });
});
