import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMillis, parseInstant, type Instant } from '../../src/core/instant.js';
import type { SourceStream, Tombstone } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { planCheckpoints, type SliceRef } from '../../src/postgres/checkpoints.js';
import { readBookmarks } from '../../src/postgres/connections.js';
import { inTransaction } from '../../src/postgres/pool.js';
import { beginRun, endRun } from '../../src/postgres/runs.js';
import { sliceId } from '../../src/core/stream.js';
import {
  ACTIVITIES,
  at,
  LEADS,
  LIVE_FROM,
  openWarehouse,
  RECEIVED_AT,
  SCHEMA,
  STATUSES,
  type Warehouse,
} from './warehouse.js';

let warehouse: Warehouse;

beforeEach(async () => {
  warehouse = await openWarehouse('stitch', { streams: [LEADS, ACTIVITIES, STATUSES] });
});

afterEach(async () => {
  await warehouse.close();
});

const instant = (second: number): Instant => parseInstant(at(second)) as Instant;
const lead = (second: number, more: JsonRecord = {}): JsonRecord => ({
  ...{ id: 'lead_1', name: 'Ann', date_updated: at(second) },
  ...more,
});

function tombstone(second: number, more: Partial<Tombstone> = {}): Tombstone {
  const nobody = { deletedBy: null, mergedInto: null };
  return { key: 'lead_1', deletedAt: instant(second), ...nobody, ...more };
}

/** A page without records of its own that tells of deletes. */
async function bury(stream: SourceStream, ...tombstones: Tombstone[]): Promise<void> {
  const other = stream.name === LEADS.name ? ACTIVITIES : LEADS;
  const told = { stream: stream.name, records: [], rejects: [], tombstones };
  await warehouse.load(other, [], { effects: [told] });
}

async function deleted(stream: SourceStream = LEADS): Promise<unknown[]> {
  const columns = '_sdc_deleted_at AS at, _sdc_deleted_by AS by, _sdc_merged_into AS into';
  const rows = await warehouse.table(stream.name, columns);
  return rows.map(({ at: when, by, into }) => (when === null ? null : [when, by, into]));
}

describe('a deleted record', () => {
  it('stays, with the time, the user and where it was merged into', async () => {
    await warehouse.load(LEADS, [lead(1, { contacts: [{ id: 'cont_1' }] })]);
    await bury(LEADS, tombstone(5, { deletedBy: 'user_1', mergedInto: 'lead_2' }));
    expect(await deleted()).toEqual([[instant(5), 'user_1', 'lead_2']]);
    // Its children are not touched: a merge moved them.
    expect(await warehouse.table('leads__contacts')).toHaveLength(1);
  });

  it('stays dead when a page that was fetched before the delete is loaded after it', async () => {
    await bury(LEADS, tombstone(5));
    await warehouse.load(LEADS, [lead(1)]);
    expect(await deleted()).toEqual([[instant(5), null, null]]);
    await warehouse.load(LEADS, [lead(4, { name: 'Ann B.' })]);
    expect(await deleted()).toEqual([[instant(5), null, null]]);
  });

  it('stays dead when the clocks of event and object lie a little apart', async () => {
    await warehouse.load(LEADS, [lead(5)]);
    await bury(LEADS, tombstone(5, { deletedAt: addMillis(instant(5), -1) }));
    expect((await deleted())[0]).not.toBeNull();
  });

  it('lives again when Close gives it in a newer version than the delete', async () => {
    await warehouse.load(LEADS, [lead(1)]);
    await bury(LEADS, tombstone(5));
    await warehouse.load(LEADS, [lead(9)]);
    expect(await deleted()).toEqual([null]);
    // The delete is told once more: it is older than what is there.
    await bury(LEADS, tombstone(5));
    expect(await deleted()).toEqual([null]);
  });

  it('has the later of two deletes, in whatever order they come', async () => {
    await warehouse.load(LEADS, [lead(1)]);
    await bury(LEADS, tombstone(7), tombstone(3));
    await bury(LEADS, tombstone(5));
    expect(await deleted()).toEqual([[instant(7), null, null]]);
  });

  it('that nobody knew, in a stream without a table, is kept for later', async () => {
    await bury(ACTIVITIES, tombstone(5, { key: 'acti_1' }));
    await warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1) }]);
    expect((await deleted(ACTIVITIES))[0]).not.toBeNull();
  });
});

it('an append-only record is marked in each version, and left out of the view of the latest', async () => {
  const note = (second: number): JsonRecord => ({
    id: 'acti_1',
    date_updated: at(second),
    n: second,
  });
  await warehouse.load(ACTIVITIES, [note(1), note(2)]);
  await bury(ACTIVITIES, tombstone(5, { key: 'acti_1' }));
  // An older version that comes late is dead, too.
  await warehouse.load(ACTIVITIES, [note(3)]);
  expect((await deleted(ACTIVITIES)).filter((row) => row === null)).toEqual([]);
  expect(await warehouse.table('activities_current')).toEqual([]);
  await warehouse.load(ACTIVITIES, [note(8)]);
  expect(await warehouse.table('activities_current', 'n')).toEqual([{ n: 8 }]);
});

describe('a list that was read whole', () => {
  const status = (id: string): JsonRecord => ({ id, label: id });
  const later = (minutes: number): Instant => addMillis(RECEIVED_AT, minutes * 60_000);
  const read = (ids: string[], minutes: number, keys = ids) =>
    warehouse.load(STATUSES, ids.map(status), {
      receivedAt: later(minutes),
      pass: { keys, startedAt: later(minutes) },
    });

  it('tells what has vanished', async () => {
    await read(['stat_1', 'stat_2'], 0);
    const counts = await read(['stat_1'], 10);
    expect(await deleted(STATUSES)).toEqual([null, [later(10), null, null]]);
    expect(counts).toMatchObject({ fetched: 2, updated: 1, unchanged: 1 });
  });

  it('says nothing of what came after it began', async () => {
    await read(['stat_1'], 0);
    await warehouse.load(STATUSES, [status('stat_2')], { receivedAt: later(11) });
    await read(['stat_1'], 10);
    expect(await deleted(STATUSES)).toEqual([null, null]);
  });

  it('gives back what it had lost, also unchanged', async () => {
    await read(['stat_1', 'stat_2'], 0);
    await read(['stat_1'], 10);
    await read(['stat_1', 'stat_2'], 20);
    expect(await deleted(STATUSES)).toEqual([null, null]);
  });

  it('writes no row anew that did not change', async () => {
    await read(['stat_1'], 0);
    const [before] = await warehouse.table('lead_statuses', 'xmin::text');
    await read(['stat_1'], 10);
    expect(await warehouse.table('lead_statuses', 'xmin::text')).toEqual([before]);
  });

  it('has no version, so the one that was received last wins', async () => {
    const renamed = (label: string, minutes: number) =>
      warehouse.load(STATUSES, [{ id: 'stat_1', label }], { receivedAt: later(minutes) });
    await renamed('old', 0);
    await renamed('new', 10);
    expect(await renamed('late', 5)).toMatchObject({ stale: 1 });
    expect(await warehouse.table('lead_statuses', 'label')).toEqual([{ label: 'new' }]);
    const columns = await warehouse.rows(
      `SELECT 1 FROM information_schema.columns WHERE table_schema = $1
          AND table_name = 'lead_statuses' AND column_name = 'date_updated'`,
      [SCHEMA],
    );
    expect(columns).toEqual([]);
  });
});

describe('effects', () => {
  it('commit with their page or not at all', async () => {
    const ref = await warehouse.slice(ACTIVITIES);
    const effects = [warehouse.effect(LEADS, [lead(1)])];
    const failing = warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1) }], {
      ...{ ref, effects },
      probe: (point) => {
        if (point === 'checkpoint-moved') throw new Error('killed');
      },
    });
    await expect(failing).rejects.toThrow();
    expect(await warehouse.table('leads')).toEqual([]);
    await warehouse.load(ACTIVITIES, [], { ref, effects });
    expect(await warehouse.table('leads')).toHaveLength(1);
  });

  it('are counted under the stream that they touch', async () => {
    const run = { schema: SCHEMA, job: 'live', run: 'live/1', kind: 'incremental' } as const;
    const slice = { stream: 'activities', part: 'activity', from: LIVE_FROM, to: RECEIVED_AT };
    const [ref] = await beginRun(warehouse.pool, run, () => [{ ...slice, bookmarkOnClose: null }]);
    const effect = warehouse.effect(LEADS, [lead(1), { id: 7 }]);
    const tombstones = [tombstone(5), tombstone(5, { key: 'lead_unknown' })];
    const options = { ref: ref as SliceRef, effects: [{ ...effect, tombstones }] };
    await warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1) }], options);
    const summaries = await endRun(warehouse.pool, run, {});
    expect(summaries).toMatchObject([
      { stream: 'activities', fetched: 1, inserted: 1 },
      { stream: 'leads', fetched: 4, inserted: 1, updated: 1, unchanged: 1, rejected: 1 },
    ]);
    expect(summaries.every(({ isComplete }) => isComplete)).toBe(true);
  });
});

describe('a part whose records all come along with another stream', () => {
  const range = { from: LIVE_FROM, to: RECEIVED_AT, bookmarkOnClose: RECEIVED_AT };
  const leads = { stream: 'leads', part: 'lead', ...range };
  const activities = { stream: 'activities', part: 'activity', ...range };
  const plan = (...slices: (typeof leads)[]) =>
    inTransaction(warehouse.pool, (client) => planCheckpoints(client, SCHEMA, 'live', slices));
  const closing = { stream: 'activities', records: [], rejects: [], tombstones: [] };
  const ref = { schema: SCHEMA, job: 'live', stream: 'leads', slice: sliceId(leads) };
  const close = () =>
    warehouse.load(LEADS, [], { ref, effects: [{ ...closing, closes: 'activity' }] });
  const bookmarkOf = async (stream: string) =>
    (await readBookmarks(warehouse.pool, SCHEMA)).find((each) => each.stream === stream)?.bookmark;

  it('closes together with it, bookmark and all', async () => {
    await plan(leads, activities);
    await close();
    expect(await plan()).toEqual([]);
    expect(await bookmarkOf('activities')).toBe(RECEIVED_AT);
  });

  it('stays open when it was planned later, or reaches further back', async () => {
    await plan(leads);
    await plan(activities);
    await close();
    expect(await plan()).toMatchObject([{ stream: 'activities' }]);
    expect(await bookmarkOf('activities')).toBe(LIVE_FROM);
  });
});

describe('a part that the key may not read', () => {
  it('closes with a note, keeps its bookmark, and the stream is called skipped', async () => {
    const run = { schema: SCHEMA, job: 'live', run: 'live/2', kind: 'incremental' } as const;
    const slice = { stream: 'leads', part: 'lead', from: LIVE_FROM, to: RECEIVED_AT };
    const [ref] = await beginRun(warehouse.pool, run, () => [
      { ...slice, bookmarkOnClose: RECEIVED_AT },
    ]);
    const options = { ref: ref as SliceRef, note: 'Close does not let us.', isSkipped: true };
    await warehouse.load(LEADS, [], options);
    const [summary] = await endRun(warehouse.pool, run, {});
    expect(summary).toMatchObject({ isComplete: true, isSkipped: true, note: options.note });
    const rows = await warehouse.rows(
      "SELECT status, problem FROM closehaul.sync_status WHERE stream = 'leads'",
    );
    expect(rows).toEqual([{ status: 'Skipped', problem: options.note }]);
    const bookmarks = await readBookmarks(warehouse.pool, SCHEMA);
    const own = bookmarks.find(({ stream }) => stream === 'leads');
    expect(own).toMatchObject({ bookmark: LIVE_FROM, isSkipped: true });
    expect(own?.readAt).not.toBeNull();
  });
});
