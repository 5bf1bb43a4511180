import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldText } from '../../src/close/list-page.js';
import { addMillis, DAY_MS, HOUR_MS } from '../../src/core/instant.js';
import type { JsonRecord } from '../../src/core/record.js';
import { eventAt, eventLog, LOG_START, slice } from './event-log.js';
import { at, fakeClose, idsOf, NOW_MS } from './fake-close.js';

const NOW = at(new Date(NOW_MS).toISOString());

function eventsEvery(gapMs: number, count: number): JsonRecord[] {
  return Array.from({ length: count }, (_, index) =>
    eventAt(index * gapMs, { id: `ev_${String(index).padStart(4, '0')}`, object_type: 'import' }),
  );
}

describe('the event log', () => {
  test('a quiet hour costs one request', async () => {
    const close = fakeClose(eventLog(() => eventsEvery(HOUR_MS, 5)));
    const pages = await close.read(slice('changes', addMillis(NOW, -HOUR_MS), NOW));
    expect([pages.length, pages[0]?.records, pages[0]?.next]).toEqual([1, [], null]);
    expect(close.asked.length).toBe(1);
  });

  test('gives each event of the slice once, and none outside it', async () => {
    const rows = eventsEvery(7 * 60_000, 600);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 3 * DAY_MS }),
        fc.integer({ min: 1, max: 2 * DAY_MS }),
        async (startMs, lengthMs) => {
          const from = addMillis(LOG_START, startMs);
          const to = addMillis(from, lengthMs);
          const close = fakeClose(eventLog(() => rows));
          const ids = idsOf(await close.read(slice('past', from, to)));
          const expected = rows.filter((row) => {
            const clock = at(fieldText(row, 'date_updated'));
            return clock >= from && clock < to;
          });
          expect(ids.sort()).toEqual(expected.map(({ id }) => id));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('goes on from every page, also with a cursor that Close has forgotten', async () => {
    const rows = eventsEvery(HOUR_MS, 70);
    const whole = slice('past', LOG_START, addMillis(LOG_START, 80 * HOUR_MS));
    const close = fakeClose(eventLog(() => rows));
    const pages = await close.read(whole);
    for (const [index, page] of pages.entries()) {
      if (page.next === null) continue;
      let isLost = index % 2 === 0;
      const knowsCursor = (): boolean => !isLost || (isLost = false);
      const later = fakeClose(eventLog(() => rows, { knowsCursor }));
      const rest = await later.read(whole, { position: page.next });
      const ids = new Set([...idsOf(pages.slice(0, index + 1)), ...idsOf(rest)]);
      expect(ids.size).toBe(70);
    }
  });

  test('the oldest day is read first: it is the next to be forgotten', async () => {
    const close = fakeClose(eventLog(() => eventsEvery(6 * HOUR_MS, 12)));
    const pages = await close.read(slice('past', LOG_START, addMillis(LOG_START, 3 * DAY_MS)));
    const firsts = pages.map((page) => idsOf([page]).sort()[0]);
    expect(firsts.filter((id) => id !== undefined)).toEqual(['ev_0000', 'ev_0004', 'ev_0008']);
  });

  test('an event that is folded while we read keeps its id and is not lost', async () => {
    const rows = eventsEvery(60_000, 20);
    const close = fakeClose(
      eventLog(() => {
        if (close.asked.length !== 2) return rows;
        const [moved] = rows.splice(3, 1);
        rows.push({ ...moved, date_updated: addMillis(LOG_START, DAY_MS + 1).replace('Z', '') });
        return rows;
      }),
    );
    const first = await close.read(slice('past', LOG_START, addMillis(LOG_START, DAY_MS)));
    const edge = addMillis(LOG_START, DAY_MS);
    const second = await close.read(slice('past', edge, addMillis(edge, DAY_MS)));
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(20);
  });

  test('a cursor that comes back ends the walk', async () => {
    const close = fakeClose(() => ({ data: eventsEvery(1, 2), cursor_next: 'same' }));
    const reading = close.read(slice('past', LOG_START, addMillis(LOG_START, HOUR_MS)));
    await expect(reading).rejects.toMatchObject({ code: 'CLOSE_PAGING_LOOP' });
    expect(close.asked.length).toBe(2);
  });

  test('what Close has forgotten is told, and not asked for', async () => {
    const close = fakeClose(eventLog(() => []));
    const pages = await close.read(slice('changes', addMillis(NOW, -40 * DAY_MS), NOW));
    expect(close.asked[0]?.params['date_updated__gte']).toContain('2026-10-24T12:00:00');
    expect(pages.at(-1)).toMatchObject({ hasGap: true });
    expect(pages.at(-1)?.note).toContain('closehaul reconcile');
    expect(close.warnings.map(({ code }) => code)).toEqual(['CLOSE_EVENTS_EXPIRED']);
    const history = await fakeClose(eventLog(() => [])).read(slice('past', at('2025-11-23'), NOW));
    expect(history.at(-1)?.note).toBeUndefined();
  });

  test('a key without access is told, and everything else goes on', async () => {
    const pages = await fakeClose(() => 'CLOSE_FORBIDDEN').read(slice('changes', LOG_START, NOW));
    expect(pages).toMatchObject([{ records: [], next: null, isSkipped: true }]);
  });
});
