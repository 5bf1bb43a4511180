import { describe, expect, test } from 'vitest';
import { addMillis } from '../../src/core/instant.js';
import type { Effect } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { eventAt, eventLog, LOG_START, slice } from './event-log.js';
import { at, fakeClose, NOW_MS, type Answerer } from './fake-close.js';

const range = slice('changes', LOG_START, addMillis(LOG_START, 3_600_000));
const stamp = (ms: number): string => addMillis(LOG_START, ms).replace('Z', '+00:00');

/** The effects of a log, and what was asked of Close beside it. */
async function effectsOf(
  events: readonly JsonRecord[],
  answer: Answerer = ({ path }) => ({ id: path.split('/').at(-2) ?? '', from: path }),
  effectsOn?: ReadonlySet<string>,
) {
  const log = eventLog(() => events, { pageSize: 50 });
  const close = fakeClose((asked) => (asked.path === '/event/' ? log(asked) : answer(asked)));
  const pages = await close.read(range, effectsOn === undefined ? {} : { effectsOn });
  const effects = pages.flatMap((page): readonly Effect[] => page.effects ?? []);
  const paths = close.asked.map(({ path }) => path).filter((path) => path !== '/event/');
  return { effects, paths, pages, asked: close.asked };
}

const event = (id: number, fields: JsonRecord): JsonRecord =>
  eventAt(id, { id: `ev_${id}`, ...fields });

describe('deletes and merges', () => {
  test('a delete is a tombstone with its time and its user, for whatever stream', async () => {
    const types = ['lead', 'contact', 'opportunity', 'task.lead', 'activity.note', 'status.lead'];
    const events = types.map((type, index) =>
      event(index, { object_type: type, object_id: `x_${index}`, action: 'deleted' }),
    );
    const { effects, paths } = await effectsOf(events);
    expect(paths).toEqual([]);
    const streams = effects.map(({ stream }) => stream).sort();
    expect(streams).toEqual(
      ['leads', 'contacts', 'opportunities', 'tasks', 'activities', 'lead_statuses'].sort(),
    );
    expect(effects.find(({ stream }) => stream === 'tasks')?.tombstones).toEqual([
      { key: 'x_3', deletedAt: addMillis(LOG_START, 3), deletedBy: 'user_1', mergedInto: null },
    ]);
  });

  test('a merge names where the lead went; its children went nowhere by that', async () => {
    const meta = { merge_source_lead_id: 'lead_a', merge_destination_lead_id: 'lead_b' };
    const { effects } = await effectsOf([
      event(1, {
        object_type: 'lead',
        object_id: 'lead_a',
        action: 'deleted',
        user_id: null,
        meta,
      }),
      event(2, { object_type: 'contact', object_id: 'cont_a', action: 'deleted', meta }),
    ]);
    const merged = effects.map(({ tombstones }) => tombstones[0]?.mergedInto);
    expect(merged.sort()).toEqual(['lead_b', null]);
    expect(effects.find(({ stream }) => stream === 'leads')?.tombstones[0]?.deletedBy).toBeNull();
  });

  test('what was deleted in the end is not asked for', async () => {
    const { paths, effects } = await effectsOf([
      event(1, { object_type: 'activity.note', object_id: 'acti_1', action: 'created' }),
      event(2, { object_type: 'activity.note', object_id: 'acti_1', action: 'deleted' }),
    ]);
    expect([paths, effects.length]).toEqual([[], 1]);
  });
});

describe('changes', () => {
  const note = (id: number): JsonRecord =>
    event(id, { object_type: 'activity.note', object_id: `acti_${id}`, action: 'updated' });

  test('activities are read by id, many in one request', async () => {
    const asked: unknown[] = [];
    const { effects, paths } = await effectsOf([1, 2, 3].map(note), ({ params }) => {
      asked.push(params['id__in']);
      return { data: (params['id__in'] as string[]).map((id) => ({ id, whole: true })) };
    });
    expect(paths).toEqual(['/activity/']);
    expect(asked).toEqual([['acti_3', 'acti_2', 'acti_1']]);
    expect(effects).toMatchObject([{ stream: 'activities', records: [{}, {}, { whole: true }] }]);
  });

  test('a list that ignores or refuses id__in: one by one, by the typed path', async () => {
    for (const answer of [{ data: [{ id: 'acti_9' }] }, 'CLOSE_BAD_REQUEST'] as const) {
      const { effects, paths } = await effectsOf([1, 2].map(note), ({ path }) =>
        path === '/activity/' ? answer : { id: path.split('/').at(-2) ?? '' },
      );
      expect(paths).toEqual(['/activity/', '/activity/note/acti_2/', '/activity/note/acti_1/']);
      expect(effects[0]?.records).toEqual([{ id: 'acti_2' }, { id: 'acti_1' }]);
    }
  });

  test('threads of mails are read from their own list', async () => {
    const { paths, effects } = await effectsOf([
      event(1, { object_type: 'activity.email_thread', object_id: 'acti_1', action: 'updated' }),
    ]);
    expect(paths).toEqual(['/activity/emailthread/acti_1/']);
    expect(effects).toMatchObject([{ stream: 'activities' }]);
  });

  test('one that is gone when it is asked for is no trouble', async () => {
    const { effects } = await effectsOf([note(1)], () => 'CLOSE_NOT_FOUND');
    expect(effects).toEqual([]);
  });

  test('what its own clock shows is left to the date pass', async () => {
    const lead = { object_type: 'lead', object_id: 'lead_1' };
    const { paths } = await effectsOf([
      event(1, { ...lead, action: 'updated', changed_fields: ['name', 'date_updated'] }),
      event(2, { ...lead, action: 'updated', data: { date_updated: stamp(1) } }),
      event(3, { ...lead, action: 'created' }),
    ]);
    expect(paths).toEqual([]);
  });

  test('a lead, an opportunity, a task, a contact whose clock stood still is read by id', async () => {
    const still = { action: 'updated', data: { date_updated: stamp(-3_600_000) } };
    const { paths, effects } = await effectsOf([
      event(1, { ...still, object_type: 'lead', object_id: 'lead_1' }),
      event(2, { ...still, object_type: 'opportunity', object_id: 'oppo_1' }),
      event(3, { ...still, object_type: 'task.voicemail', object_id: 'noti_1' }),
      event(4, { ...still, object_type: 'contact', object_id: 'cont_1' }),
      // A key that is no administrator's is told nothing of the object after an hour.
      event(5, { action: 'updated', object_type: 'lead', object_id: 'lead_2' }),
    ]);
    expect(paths.sort()).toEqual([
      ...['/contact/cont_1/', '/lead/lead_1/', '/lead/lead_2/', '/opportunity/oppo_1/'],
      '/task/noti_1/',
    ]);
    expect(effects.flatMap(({ records }) => records).length).toBe(5);
  });
});

describe('small lists', () => {
  test('a change in one is read once, after the log', async () => {
    const status = { object_type: 'status.lead', action: 'updated' };
    const { paths, pages } = await effectsOf(
      [event(1, { ...status, object_id: 'stat_1' }), event(2, { ...status, object_id: 'stat_2' })],
      () => ({ data: [{ id: 'stat_1' }, { id: 'stat_2' }] }),
    );
    expect(paths).toEqual(['/status/lead/']);
    expect(pages.map(({ next }) => next === null)).toEqual([false, true]);
    expect(pages[1]?.effects).toMatchObject([{ stream: 'lead_statuses', records: [{}, {}] }]);
  });

  test('an event can tell of two streams', async () => {
    const status = { object_type: 'status.opportunity', object_id: 'stat_1', action: 'updated' };
    const { paths } = await effectsOf([event(1, status)], () => ({ data: [] }));
    expect(paths.sort()).toEqual(['/pipeline/', '/status/opportunity/']);
  });
});

describe('the overlap with the sync before', () => {
  const MINUTE_MS = 60_000;
  const note = (minute: number): JsonRecord =>
    eventAt(minute * MINUTE_MS, {
      ...{ id: `ev_${minute}`, object_type: 'activity.note', action: 'updated' },
      object_id: `acti_${minute}`,
    });

  test('what is stored of it had its effects; what is not, and all that came since, has them now', async () => {
    const log = eventLog(() => [1, 2, 6].map(note), { pageSize: 50 });
    const close = fakeClose((asked) => (asked.path === '/event/' ? log(asked) : { data: [] }));
    const asked: ReadonlyMap<string, unknown>[] = [];
    const pages = await close.read(range, {
      stored: (versions) => {
        asked.push(versions);
        return Promise.resolve(new Set(['ev_1', 'ev_6'].filter((id) => versions.has(id))));
      },
    });
    // Close itself advises to read five minutes again.
    expect(asked).toEqual([
      new Map([
        ['ev_2', addMillis(LOG_START, 2 * MINUTE_MS)],
        ['ev_1', addMillis(LOG_START, MINUTE_MS)],
      ]),
    ]);
    const read = close.asked.find(({ path }) => path === '/activity/');
    expect(read?.params['id__in']).toEqual(['acti_6', 'acti_2']);
    expect(pages.flatMap(({ records }) => records.map(({ id }) => id))).toEqual([
      ...['ev_6', 'ev_2', 'ev_1'],
    ]);
  });

  test('a history leaves the latest five minutes to the live lane, which has their effects', async () => {
    const now = at(new Date(NOW_MS).toISOString());
    const before = (minutes: number): JsonRecord =>
      eventAt(NOW_MS - Date.parse(LOG_START) - minutes * MINUTE_MS, { id: `ev_${minutes}` });
    const log = eventLog(() => [1, 4, 6].map(before), { pageSize: 50 });
    const pages = await fakeClose(log).read(slice('past', addMillis(now, -3_600_000), now));
    expect(pages.flatMap(({ records }) => records.map(({ id }) => id))).toEqual(['ev_6']);
  });
});

test('nothing is asked for a stream that is not wanted', async () => {
  const { effects, paths } = await effectsOf(
    [
      event(1, { object_type: 'activity.note', object_id: 'acti_1', action: 'updated' }),
      event(2, { object_type: 'status.lead', object_id: 'stat_1', action: 'updated' }),
      event(3, { object_type: 'lead', object_id: 'lead_1', action: 'deleted' }),
    ],
    undefined,
    new Set(['leads']),
  );
  expect(paths).toEqual([]);
  expect(effects.map(({ stream }) => stream)).toEqual(['leads']);
});

test('the history lane stores events and has no effects', async () => {
  const log = eventLog(() => [
    event(1, { object_type: 'lead', object_id: 'lead_1', action: 'deleted' }),
  ]);
  const pages = await fakeClose(log).read({ ...range, part: 'past' });
  expect(pages).toMatchObject([{ records: [{ id: 'ev_1' }], effects: [], next: null }]);
});

describe('what a record holds of others', () => {
  test('is read again with it, also after a delete, by the field that names the holder', async () => {
    const { effects, paths } = await effectsOf([
      event(1, {
        ...{ object_type: 'opportunity', object_id: 'oppo_1', action: 'deleted' },
        lead_id: 'lead_a',
      }),
      event(2, {
        ...{ object_type: 'task.lead', object_id: 'task_1', action: 'updated', lead_id: 'lead_b' },
        changed_fields: ['date_updated'],
      }),
      event(3, {
        ...{ object_type: 'activity.email', object_id: 'acti_1', action: 'deleted' },
        previous_data: { thread_id: 'acti_thread' },
      }),
    ]);
    expect(paths.sort()).toEqual([
      ...['/activity/emailthread/acti_thread/', '/lead/lead_a/', '/lead/lead_b/'],
    ]);
    const read = effects.flatMap(({ stream, records }) => records.map(({ id }) => [stream, id]));
    expect(read.sort()).toEqual([
      ['activities', 'acti_thread'],
      ['leads', 'lead_a'],
      ['leads', 'lead_b'],
    ]);
  });

  test('is not looked for in a holder that is gone itself', async () => {
    const { paths } = await effectsOf([
      event(1, { object_type: 'lead', object_id: 'lead_a', action: 'deleted' }),
      event(2, {
        ...{ object_type: 'opportunity', object_id: 'oppo_1', action: 'deleted' },
        lead_id: 'lead_a',
      }),
    ]);
    expect(paths).toEqual([]);
  });
});

describe('many holders', () => {
  const names = ['a', 'b', 'c', 'd'];
  const edited = names.map((name, index) => {
    const clock = stamp(index);
    return event(index, {
      ...{ object_type: 'opportunity', object_id: `oppo_${name}`, action: 'updated' },
      ...{ changed_fields: ['date_updated'], lead_id: `lead_${name}` },
      data: { id: `oppo_${name}`, date_updated: clock },
    });
  });
  const lead = (name: string): JsonRecord => {
    const opportunities = [{ id: `oppo_${name}`, date_updated: stamp(names.indexOf(name)) }];
    return { id: `lead_${name}`, name, 'custom.cf_1': name, opportunities };
  };
  const whole = (name: string): JsonRecord => ({ ...lead(name), custom: { Kind: name } });

  /** By its path a lead is whole; `found` is what the search has of one. */
  async function read(found: (name: string) => JsonRecord | 'CLOSE_BAD_REQUEST') {
    const { effects, paths, asked } = await effectsOf(edited, ({ path }) => {
      if (path !== '/data/search/') return whole(path.split('/').at(-2)?.slice(-1) ?? '');
      const rows = names.toReversed().map(found);
      if (rows.includes('CLOSE_BAD_REQUEST')) return 'CLOSE_BAD_REQUEST';
      return { data: rows as JsonRecord[], cursor: null };
    });
    const { records = [] } = effects.find(({ stream }) => stream === 'leads') ?? {};
    const search = asked.find(({ path }) => path === '/data/search/')?.params;
    return { ids: records.map(({ id }) => id).sort(), paths, search, records };
  }

  const all = names.map((name) => `lead_${name}`);
  const without = (row: JsonRecord, field: string): JsonRecord =>
    Object.fromEntries(Object.entries(row).filter(([name]) => name !== field));
  const asSearched = (name: string): JsonRecord => ({ __object_type: 'lead', ...lead(name) });

  test('one is read by its id, as the proof of the search that gives the others', async () => {
    const { ids, paths, search, records } = await read(asSearched);
    expect([ids, paths]).toEqual([all, ['/lead/lead_d/', '/data/search/']]);
    expect(records.find(({ id }) => id === 'lead_a')).toEqual(lead('a'));
    expect(search).toMatchObject({
      query: {
        queries: [
          { type: 'object_type', object_type: 'lead' },
          {
            type: 'or',
            queries: ['d', 'c', 'b', 'a'].map((name) => ({ type: 'id', value: `lead_${name}` })),
          },
        ],
      },
      _fields: { lead: ['id', 'name', 'opportunities', 'custom'] },
    });
  });

  test.each([
    ['lacks a field', (row: JsonRecord) => without(row, 'name')],
    ['has another value', (row: JsonRecord) => ({ ...row, name: 'x' })],
    ['lacks the custom values', (row: JsonRecord) => without(row, 'custom.cf_1')],
  ])('where the search %s, all are read by their ids', async (_what, change) => {
    const { ids, paths } = await read((name) => change(asSearched(name)));
    expect(ids).toEqual(all);
    expect(paths.sort()).toEqual(['/data/search/', ...all.map((id) => `/lead/${id}/`)]);
  });

  test('what the index has not heard of is read by its id', async () => {
    const { ids, paths } = await read((name) =>
      name === 'b'
        ? { ...asSearched('b'), opportunities: [{ id: 'oppo_b', date_updated: stamp(-9) }] }
        : asSearched(name),
    );
    expect([ids, paths.sort()]).toEqual([all, ['/data/search/', '/lead/lead_b/', '/lead/lead_d/']]);
  });

  test('where the search is refused, all are read by their ids', async () => {
    const { ids, paths } = await read(() => 'CLOSE_BAD_REQUEST');
    expect([ids, paths.length]).toEqual([all, 5]);
  });
});
