import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addMillis, type Instant } from '../../src/core/instant.js';
import { fieldText } from '../../src/close/list-page.js';
import {
  LATER,
  leadSlice,
  MovingList,
  randomOf,
  readSlice,
  rowsEvery,
  START,
  type ListOptions,
} from './moving-list.js';
import { codeThrownBy } from './test-client.js';

/** What changes after each answer; each kind is counted, so that a green run means it happened. */
function trouble(
  seed: number,
  kinds: readonly ('update' | 'delete' | 'insert')[],
  happened: string[],
) {
  const random = randomOf(seed);
  let inserted = 0;
  return (list: MovingList) => {
    // A list that grew as fast as it is read would have no end, here as at Close.
    if (list.requests > 150) return;
    for (const kind of kinds) {
      const times = kind === 'delete' ? 5 : 3;
      for (let time = 0; time < times; time += 1) {
        const index = Math.floor(random() * list.rows.length);
        if (kind === 'update') list.update(index);
        if (kind === 'delete' && list.rows.length > 40) list.remove(index);
        if (kind === 'insert' && time === 0) list.insert(`new_${(inserted += 1)}`);
        happened.push(kind);
      }
    }
  };
}

/** Rows of the list's end state that the reading lacks; a version after the slice's end is the next sync's. */
function lostOf(list: MovingList, ids: ReadonlySet<string>, to: Instant): string[] {
  return list.rows.filter((row) => row.updated < to && !ids.has(row.id)).map((row) => row.id);
}

describe('keyset: a list that moves while it is read', () => {
  test.each([
    ['updates move rows to the end', ['update']],
    ['deletes, five a page', ['delete']],
    ['all at once', ['update', 'delete', 'insert']],
  ] as const)('loses nothing: %s', async (_name, kinds) => {
    const happened: string[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.constantFrom(100, 20_000, 900_000),
        fc.constantFrom(5, 10, 40),
        fc.constantFrom(undefined, 'in order', 'backwards'),
        async (seed, gapMs, pageSize, far) => {
          const options: ListOptions = {
            rows: rowsEvery(gapMs, 300),
            ...(far !== undefined && { far, sendsTotal: true }),
            afterAnswer: trouble(seed, kinds, happened),
          };
          const list = new MovingList(options);
          const to = list.now;
          const reading = await readSlice(list, leadSlice(START, to), null, pageSize);
          expect(lostOf(list, reading.ids, to)).toEqual([]);
          expect(reading.warnings).toEqual([]);
          // One further sync from the old end brings what moved meanwhile.
          const still = new MovingList({ rows: list.rows });
          const next = await readSlice(
            still,
            leadSlice(addMillis(to, -300_000), LATER),
            null,
            pageSize,
          );
          const both = new Set([...reading.ids, ...next.ids]);
          expect(lostOf(list, both, LATER)).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
    for (const kind of kinds) expect(happened).toContain(kind);
  });

  test('resumes from every position, with the list changed meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = randomOf(seed);
        const list = new MovingList({ rows: rowsEvery(9_000, 120) });
        const whole = await readSlice(list, leadSlice(START, LATER));
        for (const [index, page] of whole.pages.entries()) {
          if (page.next === null) continue;
          const changed = new MovingList({ rows: list.rows });
          for (let time = 0; time < 5; time += 1) {
            changed.update(Math.floor(random() * changed.rows.length));
            changed.remove(Math.floor(random() * changed.rows.length));
          }
          const before = whole.pages.slice(0, index + 1).flatMap(({ records }) => records);
          const rest = await readSlice(changed, leadSlice(START, LATER), page.next);
          const ids = new Set([...before.map((record) => fieldText(record, 'id')), ...rest.ids]);
          expect(lostOf(changed, ids, LATER)).toEqual([]);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('keyset: a list that stands still', () => {
  test('about one request for 100 rows, and the total of the whole slice', async () => {
    const list = new MovingList({ rows: rowsEvery(3_600_000, 1_000), sendsTotal: true });
    const reading = await readSlice(list, leadSlice(START, LATER), null, 100);
    expect(reading.ids.size).toBe(1_000);
    expect(list.requests).toBe(11);
    expect(reading.pages.map((page) => page.totalRecords)).toEqual(Array(11).fill(1_000));
    expect(reading.pages.reduce((sum, page) => sum + page.requests, 0)).toBe(11);
  });

  test('where Close takes its time, several pages at once, and none in vain', async () => {
    const rows = rowsEvery(3_600_000, 1_000);
    const list = new MovingList({ rows, sendsTotal: true, far: 'in order' });
    const reading = await readSlice(list, leadSlice(START, LATER), null, 100);
    expect([reading.ids.size, list.requests, list.atOnceMax]).toEqual([1_000, 11, 6]);
  });

  test('ends at the slice, not at the end of the list', async () => {
    const list = new MovingList({ rows: rowsEvery(3_600_000, 1_000) });
    const reading = await readSlice(
      list,
      leadSlice(START, addMillis(START, 50 * 3_600_000)),
      null,
      10,
    );
    expect(reading.ids.size).toBeGreaterThanOrEqual(50);
    expect(list.requests).toBeLessThanOrEqual(8);
  });

  test('a slice without rows is one empty page', async () => {
    const list = new MovingList({ rows: [] });
    const { pages } = await readSlice(list, leadSlice(START, LATER));
    expect(pages).toMatchObject([{ records: [], next: null, totalRecords: null, requests: 1 }]);
  });

  test('goes past max_skip by a new anchor', async () => {
    const list = new MovingList({ rows: rowsEvery(5_000, 700), maxSkip: 60 });
    const reading = await readSlice(list, leadSlice(START, LATER));
    expect(reading.ids.size).toBe(700);
  });

  test('takes a new anchor before 5,000 rows of skip', async () => {
    const list = new MovingList({ rows: rowsEvery(5_000, 12_000) });
    const skips: number[] = [];
    const get: typeof list.client.get = (path, params, signal) => {
      skips.push(Number(params['_skip']));
      return list.client.get(path, params, signal);
    };
    const client = { ...list.client, get };
    const reading = await readSlice({ client }, leadSlice(START, LATER), null, 100);
    expect(reading.ids.size).toBe(12_000);
    expect(Math.max(...skips)).toBeLessThan(5_000);
    expect(list.requests).toBeLessThan(125);
  });

  test('walks a minute of thousands by skip, and names it when Close does not page so far', async () => {
    const rows = rowsEvery(1, 6_500);
    const list = new MovingList({ rows });
    expect((await readSlice(list, leadSlice(START, LATER), null, 100)).ids.size).toBe(6_500);
    const capped = new MovingList({ rows, maxSkip: 3_000 });
    expect(await codeThrownBy(() => readSlice(capped, leadSlice(START, LATER), null, 100))).toBe(
      'CLOSE_WINDOW_TOO_DENSE',
    );
  });

  test('a row that shows a newer clock than its place does not move the anchor past others', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 400), maxSkip: 150 });
    const rank = new Map(list.rows.map((row) => [row.id, row.updated]));
    const client = {
      ...list.client,
      get: async (...request: Parameters<typeof list.client.get>) => {
        const answer = await list.client.get(...request);
        const data = answer.body['data'] as { id: string; date_updated: string }[];
        // The index lags: the second last of each page was edited a moment ago.
        const stale = data.at(-2);
        if (stale && data.length > 50) stale.date_updated = '2026-11-23T12:00:00+00:00';
        return answer;
      },
    };
    const reading = await readSlice({ client }, leadSlice(START, LATER), null, 100);
    expect(reading.ids.size).toBe(rank.size);
  });
});

describe('keyset: a list that lies', () => {
  test('a filter that is ignored: says so, reads all, filters here', async () => {
    const list = new MovingList({ rows: rowsEvery(3_600_000, 200), ignoresFilter: true });
    const reading = await readSlice(list, leadSlice(addMillis(START, 100 * 3_600_000), LATER));
    expect(reading.warnings.map(({ code }) => code)).toEqual(['CLOSE_FILTER_IGNORED']);
    expect(reading.ids.size).toBe(100);
  });

  test('an order that is ignored: says so, reads to the end', async () => {
    const list = new MovingList({ rows: rowsEvery(3_600_000, 200), ignoresSort: true });
    const reading = await readSlice(list, leadSlice(START, addMillis(START, 3_600_000 * 5)));
    expect(reading.warnings.map(({ code }) => code)).toEqual(['CLOSE_ORDER_IGNORED']);
    expect(reading.ids.size).toBe(200);
  });

  test('an order that is lost on the way: all that was read on trust is read again', async () => {
    const rows = rowsEvery(3_600_000, 200);
    const list = new MovingList({ rows, maxSkip: 60 });
    const shuffled = new MovingList({ rows, ignoresSort: true });
    let requests = 0;
    const get: typeof list.client.get = (path, params, signal) => {
      requests += 1;
      // The eighth meets max_skip; the ninth takes a new anchor, and finds the order gone.
      return (requests < 9 ? list : shuffled).client.get(path, params, signal);
    };
    const reading = await readSlice({ client: { ...list.client, get } }, leadSlice(START, LATER));
    expect(reading.warnings.map(({ code }) => code)).toEqual(['CLOSE_ORDER_IGNORED']);
    const anew = reading.pages.slice(7).flatMap(({ records }) => records);
    expect(new Set(anew.map((record) => fieldText(record, 'id'))).size).toBe(200);
  });

  test('has_more true for ever with the same page: at most two requests more', async () => {
    const list = new MovingList({
      rows: rowsEvery(1_000, 10),
      ignoresSkip: true,
      hasMore: () => true,
    });
    expect(await codeThrownBy(() => readSlice(list, leadSlice(START, LATER)))).toBe(
      'CLOSE_PAGING_LOOP',
    );
    expect(list.requests).toBe(3);
  });

  test('empty pages with has_more true: three, then the loop is named', async () => {
    const list = new MovingList({ rows: [], hasMore: () => true });
    expect(await codeThrownBy(() => readSlice(list, leadSlice(START, LATER)))).toBe(
      'CLOSE_PAGING_LOOP',
    );
    expect(list.requests).toBe(4);
  });

  test('an empty page with has_more true is asked for again', async () => {
    let isFirst = true;
    const list = new MovingList({ rows: rowsEvery(60_000, 35) });
    const client = {
      ...list.client,
      get: async (...request: Parameters<typeof list.client.get>) => {
        const answer = await list.client.get(...request);
        if (Number(request[1]['_skip']) !== 9 || !isFirst) return answer;
        isFirst = false;
        return { ...answer, body: { data: [], has_more: true } };
      },
    };
    const reading = await readSlice({ client }, leadSlice(START, LATER));
    expect(reading.ids.size).toBe(35);
  });

  test('has_more false too early, with a total that knows better', async () => {
    const list = new MovingList({
      rows: rowsEvery(60_000, 95),
      sendsTotal: true,
      hasMore: () => false,
    });
    expect((await readSlice(list, leadSlice(START, LATER))).ids.size).toBe(95);
  });

  test('has_more missing is false', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 95), hasMore: () => undefined });
    expect((await readSlice(list, leadSlice(START, LATER))).ids.size).toBe(10);
  });

  test.each([{ strategy: 'keyset', skip: -1 }, { strategy: 'window' }, { version: 99 }, {}])(
    'a position that cannot be read starts the slice anew: %j',
    async (position) => {
      const list = new MovingList({ rows: rowsEvery(60_000, 25) });
      const reading = await readSlice(list, leadSlice(START, LATER), position);
      expect(reading.warnings.map(({ code }) => code)).toEqual(['CLOSE_POSITION_UNREADABLE']);
      expect(reading.ids.size).toBe(25);
    },
  );
});
