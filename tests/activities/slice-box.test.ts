import { beforeEach, describe, expect, it } from 'vitest';
import { SliceBox } from '../../src/activities/slice-box.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { SliceRef } from '../../src/contract.js';

const SECOND_MS = 1_000;
let nowMs = 0;

beforeEach(() => {
  nowMs = 0;
});

function slice(stream: string, name = 'all'): SliceRef {
  return { schema: 'acme', job: 'initial', stream, slice: name };
}

function boxOf(...refs: SliceRef[]): SliceBox {
  return new SliceBox(refs, { streams: CLOSE_STREAMS, nowMs: () => nowMs });
}

const PAGE = { records: [{ id: 'a' }], next: null, totalRecords: null, requests: 1 };
const COUNTS = { inserted: 1, rows: 2, rejected: 0 };

describe('while Close answers quickly', () => {
  it('two slices are read at once, in order', () => {
    const [leads, tasks, users] = [slice('leads'), slice('tasks'), slice('users')];
    const box = boxOf(leads, tasks, users);
    expect([box.take(), box.take(), box.take()]).toEqual([leads, tasks, undefined]);
    box.settle(leads, true);
    expect(box.take()).toBe(users);
    box.settle(tasks, true);
    box.settle(users, true);
    expect(box.take()).toBeUndefined();
    expect(box.result()).toEqual({ done: [0, 1, 2], streams: [], parked: null });
  });

  it('a slice that ends late is the last, so that the connection hears of it', () => {
    const [leads, tasks] = [slice('leads'), slice('tasks')];
    const box = boxOf(leads, tasks);
    box.take();
    nowMs = 5 * SECOND_MS;
    box.settle(leads, true);
    expect(box.take()).toBeUndefined();
    expect(box.result().done).toEqual([0]);
  });

  it('what ends unfinished is not done', () => {
    const leads = slice('leads');
    const box = boxOf(leads);
    box.take();
    box.addPage(leads, PAGE, COUNTS);
    nowMs = 60 * SECOND_MS;
    expect(box.isEnding()).toBe(true);
    box.settle(leads, false);
    const told = { stream: 'leads', pages: 1, records: 1, ...COUNTS };
    expect(box.result()).toEqual({ done: [], streams: [told], parked: null });
  });
});

describe('at the end of its time', () => {
  it('nothing more is asked for, and what was asked for is still given', async () => {
    const box = boxOf(slice('leads'));
    let asked = 0;
    async function* pages() {
      for (const isNextAsked of [false, true, true, false, false]) {
        asked += 1;
        yield await Promise.resolve({ ...PAGE, isNextAsked });
      }
    }
    for await (const page of box.within(pages())) {
      expect(page.records).toHaveLength(1);
      if (asked === 2) nowMs = 60 * SECOND_MS;
    }
    expect(asked).toBe(4);
  });
});

describe('while Close answers slowly', () => {
  it('four slices are read at once, and the next as soon as one ends', async () => {
    const refs = [1, 2, 3, 4, 5].map((month) => slice('activities', `activity:2026-0${month}`));
    const box = boxOf(...refs);
    box.take();
    const changed = box.untilChange([new Promise(() => undefined)]);
    box.noteSlow();
    // It settles by the news alone: the slice at hand goes on.
    await changed;
    const taken = Array.from({ length: 4 }, () => box.take());
    expect(taken).toEqual([...refs.slice(1, 4), undefined]);
    nowMs = 30 * SECOND_MS;
    box.settle(refs[2] as SliceRef, true);
    expect(box.take()).toBe(refs[4]);
  });

  it('one of each list comes first, then others of the first: each list has a limit of its own', () => {
    const names = [3, 2, 1].flatMap((n) => [`activity:2026-0${n}`, `emailthread:2026-0${n}`]);
    const refs = [...names.map((name) => slice('activities', name)), slice('tasks')];
    const [march, marchThreads, february, , january, , tasks] = refs;
    const box = boxOf(...refs);
    box.noteSlow();
    const taken = Array.from({ length: 4 }, () => box.take());
    expect(taken).toEqual([march, marchThreads, tasks, february]);
    box.settle(tasks as SliceRef, true);
    expect(box.take()).toBe(january);
  });

  it('is noticed at the first page of a slice, without the time that we take ourselves', async () => {
    const months = ['2026-03', '2026-02', '2026-01'];
    const refs = months.map((month) => slice('activities', `activity:${month}`));
    async function* pages(firstMs: number, laterMs: number) {
      for (const tripMs of [firstMs, laterMs]) {
        nowMs += tripMs;
        yield await Promise.resolve(PAGE);
      }
    }
    for (const [firstMs, laterMs, isSlow] of [
      [5, 900, false],
      [150, 5, true],
    ] as const) {
      const box = boxOf(...refs);
      box.take();
      box.take();
      for await (const page of box.within(pages(firstMs, laterMs))) expect(page).toBe(PAGE);
      expect(box.take() !== undefined).toBe(isSlow);
    }
  });

  it('contacts wait for the leads that bring them along', () => {
    const [leads, contacts, tasks] = [slice('leads'), slice('contacts'), slice('tasks')];
    const box = boxOf(leads, contacts, tasks);
    box.noteSlow();
    expect([box.take(), box.take(), box.take()]).toEqual([leads, tasks, undefined]);
    box.settle(leads, true);
    expect(box.take()).toBe(contacts);
  });
});

describe('a slice that fails', () => {
  it('alone, it is the failure of its activity', () => {
    const [leads, tasks] = [slice('leads'), slice('tasks')];
    const box = boxOf(leads, tasks);
    box.take();
    const error = new Error('no answer');
    box.fail(leads, error);
    expect(box.take()).toBeUndefined();
    expect(box.failure()).toEqual({ ref: leads, error });
  });

  it('after pages, it is no failure: the next activity begins with fresh patience', () => {
    const leads = slice('leads');
    const box = boxOf(leads);
    box.take();
    box.addPage(leads, PAGE, COUNTS);
    box.fail(leads, new Error('no answer'));
    expect(box.failure()).toBeUndefined();
    expect(box.result().done).toEqual([]);
  });

  it('beside others, they go on without it and without its other slices', () => {
    const refs = [slice('leads'), slice('tasks'), slice('leads', 'older'), slice('users')];
    const [leads, tasks, , users] = refs as [SliceRef, SliceRef, SliceRef, SliceRef];
    const box = boxOf(...refs);
    box.noteSlow();
    box.take();
    box.fail(leads, new Error('no answer'));
    expect([box.take(), box.take(), box.take()]).toEqual([tasks, users, undefined]);
    box.settle(tasks, true);
    expect(box.failure()).toBeUndefined();
    expect(box.result().done).toEqual([1]);
  });
});
