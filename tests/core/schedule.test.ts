import { describe, expect, it } from 'vitest';
import { nextStart, parseAnchor, parseEvery, staggerOf } from '../../src/core/schedule.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('parseEvery', () => {
  it.each([
    ['10s', 10_000],
    ['90s', 90_000],
    ['30m', 30 * MINUTE_MS],
    ['6h', 6 * HOUR_MS],
    ['1d', 24 * HOUR_MS],
    ['31d', 31 * 24 * HOUR_MS],
    [' 30 M ', 30 * MINUTE_MS],
  ])('reads %j', (text, ms) => {
    expect(parseEvery(text)).toBe(ms);
  });

  it.each([
    '',
    '30',
    'm',
    '9s',
    '0m',
    '32d',
    '-30m',
    '1.5h',
    '1w',
    '1h30m',
    '30m\n1',
    '1e3s',
    '٣m',
  ])('refuses %j', (text) => {
    expect(parseEvery(text)).toBeUndefined();
  });
});

describe('parseAnchor', () => {
  it.each([
    ['00:00', 0],
    ['02:00', 120],
    ['23:59', 1439],
  ])('reads %j', (text, minutes) => {
    expect(parseAnchor(text)).toBe(minutes);
  });

  it.each(['', '2:00', '24:00', '12:60', '12', '12:00:00', '12:00Z', 'noon'])(
    'refuses %j',
    (text) => {
      expect(parseAnchor(text)).toBeUndefined();
    },
  );
});

describe('nextStart without an anchor', () => {
  const noonMs = Date.UTC(2026, 10, 24, 12);
  const everyHalfHour = { everyMs: 30 * MINUTE_MS, anchorMinutes: null, staggerBy: null };
  const next = (nowMinutes: number): unknown => {
    const { atMs, skippedSlots } = nextStart(
      everyHalfHour,
      noonMs,
      noonMs + nowMinutes * MINUTE_MS,
    );
    return { minutes: (atMs - noonMs) / MINUTE_MS, skippedSlots };
  };

  it("skips the slot that came up while a sync ran (Stitch's example: 12:00 to 12:42)", () => {
    expect(next(42)).toEqual({ minutes: 60, skippedSlots: 1 });
  });

  it.each([
    [0, 30, 0],
    [12, 30, 0],
    [29.99, 30, 0],
    [60.01, 90, 2],
    [24 * 60 + 1, 24 * 60 + 30, 48],
  ])('after a sync of %d minutes starts at minute %d, with %i skipped', (now, minutes, skipped) => {
    expect(next(now)).toEqual({ minutes, skippedSlots: skipped });
  });

  it('takes the slot that begins at the very end of a sync: nothing ran in it', () => {
    expect(next(30)).toEqual({ minutes: 30, skippedSlots: 0 });
  });

  it('waits no longer than one slot when the clock was set back', () => {
    expect(next(-600)).toEqual({ minutes: 30, skippedSlots: 0 });
  });
});

describe('nextStart with an anchor', () => {
  const at = (day: number, hour: number, minute = 0): number =>
    Date.UTC(2026, 10, day, hour, minute);
  const start = (everyHours: number, anchorMinutes: number, startedMs: number): string => {
    const table = { everyMs: everyHours * HOUR_MS, anchorMinutes, staggerBy: null };
    return new Date(nextStart(table, startedMs, startedMs).atMs).toISOString().slice(8, 16);
  };

  it.each([
    [24, 120, at(24, 12), '25T02:00'],
    [24, 120, at(24, 1, 59), '24T02:00'],
    [24, 120, at(24, 2), '25T02:00'],
    [6, 120, at(24, 3), '24T08:00'],
    [6, 120, at(24, 21), '25T02:00'],
    [1, 30, at(24, 3), '24T03:30'],
    [0.5, 10, at(24, 23, 50), '25T00:10'],
  ])('every %d hours from minute %i', (everyHours, anchor, startedMs, expected) => {
    expect(start(everyHours, anchor, startedMs)).toBe(expected);
  });

  it.each([1, 5, 7, 24, 36, 48, 72, 31 * 24])('keeps %i hours between two slots', (everyHours) => {
    const table = { everyMs: everyHours * HOUR_MS, anchorMinutes: 120, staggerBy: 'acme' };
    let startMs = nextStart(table, at(1, 5), at(1, 5)).atMs;

    for (let slot = 0; slot < 20; slot += 1) {
      const next = nextStart(table, startMs, startMs + MINUTE_MS);

      expect(next).toEqual({ atMs: startMs + table.everyMs, skippedSlots: 0 });
      startMs = next.atMs;
    }
  });
});

describe('connections that begin together', () => {
  const noonMs = Date.UTC(2026, 10, 24, 12);
  const names = Array.from({ length: 40 }, (_, index) => `connection_${index}`);
  const seconds = (anchorMinutes: number | null): readonly number[] =>
    names.map((staggerBy) => {
      const table = { everyMs: 30 * MINUTE_MS, anchorMinutes, staggerBy };
      const startedMs = anchorMinutes === null ? noonMs : noonMs + MINUTE_MS;
      return (nextStart(table, startedMs, startedMs).atMs - noonMs) / 1000 - 30 * 60;
    });

  it.each([null, 0])('do not go on together (anchor %j)', (anchor) => {
    const started = seconds(anchor);

    expect(new Set(started).size).toBeGreaterThan(25);
    // Neither is any of them far from its slot; an anchor's slot does not begin before the anchor.
    expect(Math.min(...started)).toBeGreaterThanOrEqual(anchor === null ? -30 : 0);
    expect(Math.max(...started)).toBeLessThanOrEqual(anchor === null ? 30 : 59);
  });

  it('have each the same second after every restart and in every worker', () => {
    const offsets = names.slice(0, 6).map((staggerBy) => {
      return staggerOf({ everyMs: 30 * MINUTE_MS, staggerBy }).offsetMs / 1000;
    });

    // Another hash would move every connection there is.
    expect(offsets).toEqual([6, 5, 8, 7, 2, 1]);
  });

  it.each([
    [30 * MINUTE_MS, 60],
    [MINUTE_MS, 6],
    [45 * 1000, 3],
    [90 * 1000, 9],
    [7 * HOUR_MS, 60],
    // A prime number of seconds has no shorter beat to share, and ten seconds no room.
    [601 * 1000, 0.001],
    [10 * 1000, 0.001],
  ])('every %d ms have a spread of %d s', (everyMs, spreadSeconds) => {
    expect(staggerOf({ everyMs, staggerBy: 'acme' }).spreadMs).toBe(spreadSeconds * 1000);
  });

  it('are moved once: what a start is late by does not add up', () => {
    const table = { everyMs: 30 * MINUTE_MS, anchorMinutes: null, staggerBy: 'acme' };
    const first = nextStart(table, noonMs, noonMs).atMs;
    let startedMs = first;

    for (let slot = 1; slot <= 1000; slot += 1) {
      // Each start comes a second late.
      startedMs = nextStart(table, startedMs + 1000, startedMs + 1000).atMs;
    }

    expect(startedMs).toBe(first + 1000 * table.everyMs);
  });
});
