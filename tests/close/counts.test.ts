import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addMillis } from '../../src/core/instant.js';
import type { Page } from '../../src/core/ports.js';
import type { Slice } from '../../src/core/stream.js';
import {
  activitySlice,
  LATER,
  leadSlice,
  MovingList,
  randomOf,
  readSlice,
  rowsEvery,
  START,
  type ListOptions,
} from './moving-list.js';

const ROWS = rowsEvery(9_000, 300);
const PAGE_ROWS = 10;

/** The two ways of reading lists that Close counts. */
const WAYS = [
  ['keyset', leadSlice],
  ['window', activitySlice],
] as const;

function listOf(options: Partial<ListOptions> = {}): MovingList {
  return new MovingList({ rows: ROWS, sendsTotal: true, ...options });
}

/** What its last page says is missing; the pages before say nothing. */
function missingIn(pages: readonly Page[]): number {
  expect(pages.slice(0, -1).filter(({ missing }) => missing !== undefined)).toEqual([]);
  return pages.at(-1)?.missing ?? 0;
}

describe.each(WAYS)('what Close counts and does not give: %s', (_, sliceOf) => {
  const slice: Slice = sliceOf(START, LATER);

  it('a list that gives all is read once', async () => {
    const list = listOf();
    const { pages, ids } = await readSlice(list, slice);
    expect([ids.size, missingIn(pages)]).toEqual([ROWS.length, 0]);
    expect(list.requests).toBeLessThanOrEqual(Math.ceil(ROWS.length / (PAGE_ROWS - 1)));
  });

  it('a count that is too high is told once the slice was read twice', async () => {
    const list = listOf({ extraTotal: 5 });
    const { pages, ids, records } = await readSlice(list, slice);
    expect([ids.size, missingIn(pages)]).toEqual([ROWS.length, 5]);
    expect(records.length).toBeGreaterThanOrEqual(2 * ROWS.length);
    expect(records.length).toBeLessThan(2.3 * ROWS.length);
  });

  it.each([[[3]], [[9, 10, 11, 12]], [[299]], [[20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]]])(
    'rows that are left out are missing: %j',
    async (places) => {
      const hidden = new Set(places.map((place) => ROWS[place]?.id));
      const { pages, ids } = await readSlice(listOf({ hides: (id) => hidden.has(id) }), slice);
      expect([ids.size, missingIn(pages)]).toEqual([ROWS.length - hidden.size, hidden.size]);
    },
  );

  it('rows that come in the second reading are not missing', async () => {
    let requests = 0;
    const list = listOf({
      afterAnswer: () => void (requests += 1),
      hides: (id) => requests < 5 && id === ROWS[7]?.id,
    });
    const { pages, ids } = await readSlice(list, slice);
    expect([ids.size, missingIn(pages)]).toEqual([ROWS.length, 0]);
  });

  it('from every position on it comes to the same end', async () => {
    const list = listOf({ hides: (id) => id === ROWS[100]?.id });
    const whole = await readSlice(list, slice);
    for (const { next } of whole.pages) {
      if (next !== null) expect(missingIn((await readSlice(list, slice, next)).pages)).toBe(1);
    }
  });

  it('a list that changes while it is read, and gives all, is never short', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = randomOf(seed);
        const place = (list: MovingList): number => Math.floor(random() * list.rows.length);
        const list = listOf({
          afterAnswer: (changed) => {
            const what = random();
            if (what < 0.15) changed.update(place(changed));
            else if (what < 0.3) changed.remove(place(changed));
            else if (what < 0.4) changed.insert(`new_${String(changed.requests)}`);
          },
        });
        expect(missingIn((await readSlice(list, slice)).pages)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a keyset that ends before its list', () => {
  const end = addMillis(START, 100 * 9_000);

  it('asks how much lies behind its end, and counts what lies before', async () => {
    const list = listOf();
    const { pages } = await readSlice(list, leadSlice(START, end));
    expect(missingIn(pages)).toBe(0);
    const hiding = listOf({ hides: (id) => id === ROWS[50]?.id });
    expect(missingIn((await readSlice(hiding, leadSlice(START, end))).pages)).toBe(1);
  });

  it('what is left out behind its end is not its own', async () => {
    const list = listOf({ hides: (id) => id === ROWS[200]?.id });
    expect(missingIn((await readSlice(list, leadSlice(START, end))).pages)).toBe(0);
  });
});

it('counts over all anchors of a long list', async () => {
  const rows = rowsEvery(5_000, 700);
  const options = { rows, maxSkip: 60, hides: (id: string) => id === rows[5]?.id };
  const { pages, ids } = await readSlice(listOf(options), leadSlice(START, LATER));
  expect([ids.size, missingIn(pages)]).toEqual([699, 1]);
});

it('counts over all windows of a slice that is too long for one', async () => {
  const options = { maxSkip: 60, hides: (id: string) => id === ROWS[5]?.id };
  const { pages, ids } = await readSlice(listOf(options), activitySlice(START, LATER));
  expect([ids.size, missingIn(pages)]).toEqual([299, 1]);
});
