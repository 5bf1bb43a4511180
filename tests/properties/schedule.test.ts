import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  EVERY_MS_MAX,
  EVERY_MS_MIN,
  nextStart,
  parseEvery,
  staggerOf,
} from '../../src/core/schedule.js';
import './seeded.js';

const timetable = fc.record({
  everyMs: fc.oneof(
    fc.integer({ min: EVERY_MS_MIN, max: EVERY_MS_MAX }),
    fc.constantFrom(30 * 60_000, 3_600_000, 86_400_000, 2 * 86_400_000),
  ),
  anchorMinutes: fc.option(fc.integer({ min: 0, max: 1439 })),
  staggerBy: fc.option(fc.string()),
});
const clockMs = fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2100, 0) });
const passedMs = fc.integer({ min: -86_400_000, max: 40 * 86_400_000 });

it('is the first slot of the grid that is after the previous start and not over', () => {
  fc.assert(
    fc.property(timetable, clockMs, passedMs, (table, previousMs, passed) => {
      const nowMs = previousMs + passed;
      const { everyMs, anchorMinutes } = table;

      const { atMs } = nextStart(table, previousMs, nowMs);

      const { spreadMs, offsetMs } = staggerOf(table);
      const baseMs = anchorMinutes === null ? previousMs : anchorMinutes * 60_000 + offsetMs;
      // How far it is from the grid; without an anchor it may be moved by half a spread.
      const overMs = Math.abs(atMs - baseMs) % everyMs;
      const farMs = Math.min(overMs, everyMs - overMs);
      expect(farMs).toBeLessThanOrEqual(anchorMinutes === null ? spreadMs / 2 : 0);
      expect((atMs - offsetMs) % spreadMs).toBe(0);
      expect(atMs).toBeGreaterThan(previousMs);
      expect(atMs).toBeGreaterThanOrEqual(nowMs);
      // The previous start is a slot also where its own second lies a little after it.
      const slackMs = anchorMinutes === null ? spreadMs / 2 : 0;
      expect(atMs - everyMs < nowMs || atMs - everyMs <= previousMs + slackMs).toBe(true);
    }),
  );
});

it('counts each slot between two starts as skipped, and no other', () => {
  fc.assert(
    fc.property(timetable, clockMs, passedMs, (table, previousMs, passed) => {
      const { atMs, skippedSlots } = nextStart(table, previousMs, previousMs + passed);

      const first = nextStart(table, previousMs, previousMs).atMs;
      expect(skippedSlots).toBe((atMs - first) / table.everyMs);
    }),
  );
});

it('keeps the frequency when nothing is late', () => {
  fc.assert(
    fc.property(timetable, clockMs, (table, previousMs) => {
      const first = nextStart(table, previousMs, previousMs).atMs;

      expect(nextStart(table, first, first)).toEqual({
        atMs: first + table.everyMs,
        skippedSlots: 0,
      });
    }),
  );
});

it('reads a frequency only within its bounds', () => {
  fc.assert(
    fc.property(fc.nat(2_000_000), fc.constantFrom('s', 'm', 'h', 'd', 'S', 'w', ''), (n, unit) => {
      const everyMs = parseEvery(`${n}${unit}`);

      if (everyMs === undefined) return;
      expect(everyMs).toBeGreaterThanOrEqual(EVERY_MS_MIN);
      expect(everyMs).toBeLessThanOrEqual(EVERY_MS_MAX);
    }),
  );
});
