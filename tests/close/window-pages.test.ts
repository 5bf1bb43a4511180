import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldText } from '../../src/close/list-page.js';
import { addMillis, parseInstant, type Instant } from '../../src/core/instant.js';
import type { JsonRecord } from '../../src/core/record.js';
import {
  LATER,
  activitySlice,
  END_OF_TIME,
  MovingList,
  randomOf,
  readSlice,
  rowsEvery,
  START,
  type Order,
  type Row,
} from './moving-list.js';
import { fakeClose } from './fake-close.js';
import { codeThrownBy } from './test-client.js';

const at = (text: string) => parseInstant(text) as Instant;
const orders: readonly Order[] = ['ascending', 'descending', 'shuffled'];
const distances = [undefined, 'in order', 'backwards'] as const;
const rowAt = (id: string, text: string): Row => ({ id, created: at(text), updated: at(text) });

describe('windows: edges', () => {
  test('each row at an edge is in exactly one of two neighbours', async () => {
    const edge = at('2026-01-02T00:00:00.500000Z');
    const rows = [
      rowAt('first', '2026-01-01T00:00:00.000000Z'),
      rowAt('before', '2026-01-02T00:00:00.499999Z'),
      rowAt('at', '2026-01-02T00:00:00.500000Z'),
      rowAt('after', '2026-01-02T00:00:00.999999Z'),
      rowAt('last', '2026-01-02T23:59:59.999999Z'),
      rowAt('end', '2026-01-03T00:00:00.000000Z'),
    ];
    const list = new MovingList({ rows });
    const one = await readSlice(list, activitySlice(START, edge));
    const two = await readSlice(list, activitySlice(edge, at('2026-01-03')));
    expect([...one.ids].sort()).toEqual(['before', 'first']);
    expect([...two.ids].sort()).toEqual(['after', 'at', 'last']);
  });

  test('asks in whole seconds, with an offset: Close reads a time without one in a zone of its own', async () => {
    const close = fakeClose(() => ({ data: [], has_more: false }));
    await close.read(
      activitySlice(at('2026-01-02T00:00:00.5Z'), at('2026-01-03T12:00:00.000001Z')),
    );
    expect(close.asked[0]?.params).toMatchObject({
      date_created__gte: '2026-01-02T00:00:00+00:00',
      date_created__lt: '2026-01-03T12:00:01+00:00',
    });
  });

  test('slices that share edges give each row once, whatever the edges', async () => {
    const rows = rowsEvery(333.333, 200).map((row, index) => {
      const created = `${row.created.slice(0, 20)}${['000000', '999999', '000001', '500000'][index % 4]}Z`;
      return { ...row, created: at(created) };
    });
    const edge = fc.integer({ min: 0, max: 66_000 }).chain((ms) =>
      fc.constantFrom('000', '001', '999').map((micros) => {
        return at(`${addMillis(START, ms).slice(0, 23)}${micros}Z`);
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(edge, { maxLength: 6 }),
        fc.constantFrom(...orders),
        async (cuts, order) => {
          const list = new MovingList({ rows, order });
          const edges = [...new Set([START, ...cuts, LATER])].sort();
          const seen: string[] = [];
          for (const [index, to] of edges.slice(1).entries()) {
            const reading = await readSlice(list, activitySlice(edges[index] ?? START, to));
            seen.push(...reading.ids);
          }
          expect(seen.sort()).toEqual(rows.map(({ id }) => id));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a row without a readable clock is passed on', async () => {
    const list = new MovingList({ rows: rowsEvery(1_000, 5) });
    const odd: JsonRecord[] = [
      { id: 'none' },
      { id: 'null', date_created: null },
      { id: 'text', date_created: 'soon' },
    ];
    const client = {
      ...list.client,
      get: async (...request: Parameters<typeof list.client.get>) => {
        const answer = await list.client.get(...request);
        return {
          ...answer,
          body: { ...answer.body, data: [...(answer.body['data'] as JsonRecord[]), ...odd] },
        };
      },
    };
    expect((await readSlice({ client }, activitySlice(START, LATER))).ids.size).toBe(8);
  });
});

describe('windows: a list that moves while it is read', () => {
  test('loses nothing, in any order, with five deletes and three inserts a page', async () => {
    let deletes = 0;
    let atOnceMax = 0;
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.constantFrom(...orders),
        fc.constantFrom(5, 10, 40),
        fc.constantFrom(undefined, 60),
        fc.constantFrom(...distances),
        async (seed, order, pageSize, maxSkip, far) => {
          const random = randomOf(seed);
          const old = new Set(rowsEvery(20_000, 300).map(({ id }) => id));
          const list = new MovingList({
            rows: rowsEvery(20_000, 300),
            order,
            ...(far !== undefined && { far }),
            ...(maxSkip === undefined ? {} : { maxSkip }),
            afterAnswer: (moving) => {
              if (moving.requests > 150) return;
              for (let time = 0; time < 5 && moving.rows.length > 40; time += 1) {
                moving.remove(Math.floor(random() * moving.rows.length));
                deletes += 1;
              }
              if (moving.requests % 2 === 0) moving.insert(`new_${moving.requests}`);
            },
          });
          const reading = await readSlice(list, activitySlice(START, LATER), null, pageSize);
          steps += list.requests - reading.pages.length;
          atOnceMax = Math.max(atOnceMax, list.atOnceMax);
          // What was created meanwhile is the next sync's, whose overlap reaches back a day.
          const lost = list.rows.filter(({ id }) => old.has(id) && !reading.ids.has(id));
          expect(lost).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
    expect(deletes).toBeGreaterThan(0);
    expect(steps).toBeGreaterThan(0);
    expect(atOnceMax).toBe(6);
  });

  test('resumes from every position, with rows deleted meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.constantFrom(...orders),
        fc.constantFrom(undefined, 25),
        async (seed, order, maxSkip) => {
          const random = randomOf(seed);
          const cap = maxSkip === undefined ? {} : { maxSkip };
          const list = new MovingList({ rows: rowsEvery(9_000, 100), order, ...cap });
          const whole = await readSlice(list, activitySlice(START, LATER));
          expect(whole.ids.size).toBe(100);
          for (const [index, page] of whole.pages.entries()) {
            if (page.next === null) continue;
            const changed = new MovingList({ rows: list.rows, order, ...cap });
            for (let time = 0; time < 5; time += 1) {
              changed.remove(Math.floor(random() * changed.rows.length));
            }
            const before = whole.pages.slice(0, index + 1).flatMap(({ records }) => records);
            const rest = await readSlice(changed, activitySlice(START, LATER), page.next);
            const ids = new Set([...before.map((record) => fieldText(record, 'id')), ...rest.ids]);
            expect(changed.rows.filter(({ id }) => !ids.has(id))).toEqual([]);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('windows: several pages at once, where Close takes its time', () => {
  test.each(['ascending', 'descending'] as const)(
    'nothing is asked in vain (%s)',
    async (order) => {
      const list = new MovingList({ rows: rowsEvery(60_000, 1_000), order, far: 'in order' });
      const slice = activitySlice(START, addMillis(START, 1_000 * 60_000));
      const reading = await readSlice(list, slice, null, 100);
      expect([reading.ids.size, list.requests, list.atOnceMax]).toEqual([1_000, 11, 5]);
      expect(reading.pages.reduce((sum, { requests }) => sum + requests, 0)).toBe(11);
    },
  );

  test('what was asked at once is told, so that all of it is read before a pause', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 1_000), far: 'in order' });
    const { pages } = await readSlice(list, activitySlice(START, LATER), null, 100);
    const first = pages.slice(0, 6).map(({ isNextAsked }) => isNextAsked);
    expect(first).toEqual([false, true, true, true, true, false]);
  });

  test('where Close is quick, one page at a time', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 1_000) });
    const { pages } = await readSlice(list, activitySlice(START, LATER), null, 100);
    expect(pages.map(({ isNextAsked }) => isNextAsked)).toEqual(Array(11).fill(false));
  });
});

describe('windows: max_skip', () => {
  test('about one request for 100 rows when it does not bite', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 1_000) });
    const reading = await readSlice(list, activitySlice(START, LATER), null, 100);
    expect([reading.ids.size, list.requests]).toEqual([1_000, 11]);
  });

  test.each(orders)('halves the window, also of one up to the year 9999 (%s)', async (order) => {
    const list = new MovingList({ rows: rowsEvery(10_000, 1_000), maxSkip: 100, order });
    const reading = await readSlice(list, activitySlice(START, END_OF_TIME), null, 20);
    expect(reading.ids.size).toBe(1_000);
    expect(list.requests).toBeLessThan(250);
  });

  test('goes down to the second, and names the second that is too dense', async () => {
    const rows = [
      ...rowsEvery(900, 50),
      ...rowsEvery(0, 80).map((row) => ({ ...row, id: `x${row.id}` })),
    ];
    const enough = new MovingList({ rows, maxSkip: 90 });
    expect((await readSlice(enough, activitySlice(START, LATER))).ids.size).toBe(130);
    const tooFew = new MovingList({ rows, maxSkip: 40 });
    expect(await codeThrownBy(() => readSlice(tooFew, activitySlice(START, LATER)))).toBe(
      'CLOSE_WINDOW_TOO_DENSE',
    );
  });
});

describe('windows: a list that lies', () => {
  test('a filter that is ignored ends the walk with a code', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 2_000), ignoresFilter: true });
    const slice = activitySlice(START, addMillis(START, 600_000));
    expect(await codeThrownBy(() => readSlice(list, slice))).toBe('CLOSE_FILTER_IGNORED');
    expect(list.requests).toBe(2);
  });

  test('the same page for ever: at most two requests more', async () => {
    const list = new MovingList({
      rows: rowsEvery(1_000, 30),
      ignoresSkip: true,
      hasMore: () => true,
    });
    expect(await codeThrownBy(() => readSlice(list, activitySlice(START, LATER)))).toBe(
      'CLOSE_PAGING_LOOP',
    );
    expect(list.requests).toBe(3);
  });

  test('a page of one row with has_more true goes on', async () => {
    const list = new MovingList({ rows: rowsEvery(1_000, 7) });
    expect((await readSlice(list, activitySlice(START, LATER), null, 1)).ids.size).toBe(7);
  });
});
