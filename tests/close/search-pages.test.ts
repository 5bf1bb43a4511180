import { describe, expect, test } from 'vitest';
import { addMillis } from '../../src/core/instant.js';
import type { JsonRecord } from '../../src/core/record.js';
import type { Slice } from '../../src/core/stream.js';
import { at, fakeClose, idsOf, type Asked } from './fake-close.js';

const START = at('2026-01-01');
const slice: Slice = {
  stream: 'custom_objects',
  part: 'search',
  from: START,
  to: at('2026-11-23'),
};

interface Row {
  readonly id: string;
  readonly date_updated: string;
}

function rowsEvery(gapMs: number, count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `co_${index}`,
    date_updated: addMillis(START, index * gapMs).replace('Z', '+00:00'),
  }));
}

/** Close's search: ascending from an instant on; a cursor names the row that it goes on behind. */
function search(rows: readonly Row[], hasExpired: (cursor: string) => boolean = () => false) {
  return ({ params }: Asked): JsonRecord | 'CLOSE_BAD_REQUEST' => {
    const text = JSON.stringify(params);
    const from = /"on_or_after":\{"type":"fixed_utc","value":"([^"]+)\+00:00"/.exec(text)?.[1];
    if (from === undefined) throw new Error('the question has another form');
    const cursor = params['cursor'];
    if (typeof cursor === 'string' && hasExpired(cursor)) return 'CLOSE_BAD_REQUEST';
    const all = rows.filter((row) => row.date_updated.slice(0, 26) >= from);
    const start = typeof cursor === 'string' ? Number(cursor) : 0;
    const end = start + Number(params['_limit']);
    const data = all.slice(start, end).map((row) => ({ ...row }));
    return { data, cursor: end < all.length ? String(end) : null };
  };
}

describe('search as a keyset', () => {
  test('asks for the fields and the order that it relies on, and never by _skip', async () => {
    const close = fakeClose(search(rowsEvery(1_000, 10)));
    expect(new Set(idsOf(await close.read(slice))).size).toBe(10);
    expect(close.asked[0]).toMatchObject({
      path: '/data/search/',
      params: {
        _fields: { custom_object: expect.arrayContaining(['id', 'custom']) as unknown },
        sort: [{ direction: 'asc', field: { field_name: 'date_updated' } }],
      },
    });
    expect(close.asked.some(({ params }) => '_skip' in params || 'cursor' in params)).toBe(false);
  });

  test('a run of equal clocks is walked by the cursor', async () => {
    const close = fakeClose(search(rowsEvery(0, 10)));
    expect(new Set(idsOf(await close.read(slice))).size).toBe(10);
    expect(close.asked.map(({ params }) => params['cursor'])).toEqual([undefined, '3', '6', '9']);
  });

  test('a cursor that expired begins its run again', async () => {
    let isOld = true;
    const close = fakeClose(search(rowsEvery(0, 7), () => isOld && !(isOld = false)));
    expect(new Set(idsOf(await close.read(slice))).size).toBe(7);
    expect(close.asked.filter(({ params }) => !('cursor' in params)).length).toBe(2);
  });

  test('a run that outlives every cursor is named', async () => {
    const close = fakeClose(search(rowsEvery(0, 7), () => true));
    await expect(close.read(slice)).rejects.toMatchObject({ code: 'CLOSE_WINDOW_TOO_DENSE' });
  });

  test('goes on from every page', async () => {
    const close = fakeClose(search(rowsEvery(400, 20)));
    const whole = await close.read(slice);
    for (const [index, page] of whole.entries()) {
      const rest = await close.read(slice, { position: page.next });
      const both = [...idsOf(whole.slice(0, index + 1)), ...idsOf(rest)];
      expect(new Set(both).size).toBe(20);
    }
  });

  test('ends at the first page behind the slice', async () => {
    const close = fakeClose(search(rowsEvery(1_000, 60)));
    const pages = await close.read({ ...slice, to: addMillis(START, 10_000) });
    expect(new Set(idsOf(pages)).size).toBeGreaterThanOrEqual(10);
    expect(close.asked.length).toBeLessThan(10);
  });

  test('an order that Close ignores is noticed', async () => {
    const rows = rowsEvery(1_000, 20).reverse();
    const close = fakeClose(search(rows));
    await expect(close.read(slice)).rejects.toMatchObject({ code: 'CLOSE_FILTER_IGNORED' });
  });

  test('no such search for this key: the part is skipped', async () => {
    const pages = await fakeClose(() => 'CLOSE_FORBIDDEN').read(slice);
    expect(pages).toMatchObject([{ next: null, isSkipped: true }]);
  });
});

describe('contacts without a lead', () => {
  test('only they are read, by id, and one that is gone is passed over', async () => {
    const rows = ['lead_1', null, null].map((lead, index) => ({
      ...{ id: `cont_${index}`, lead_id: lead },
      date_updated: `2026-02-0${index + 1}T00:00:00+00:00`,
    }));
    const close = fakeClose(({ path }) => {
      if (path === '/data/search/') return { data: rows, cursor: null };
      return path === '/contact/cont_2/' ? 'CLOSE_NOT_FOUND' : { id: 'cont_1', name: 'Ann' };
    });
    const pages = await close.read({ ...slice, stream: 'contacts' });
    expect(pages.flatMap(({ records }) => records)).toEqual([{ id: 'cont_1', name: 'Ann' }]);
    expect(pages[0]?.requests).toBe(3);
  });
});
