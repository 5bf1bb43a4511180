import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMillis, type Instant } from '../../src/core/instant.js';
import { planCheckpoints, readCheckpoint, type SliceRef } from '../../src/postgres/checkpoints.js';
import { readBookmarks } from '../../src/postgres/connections.js';
import { inTransaction } from '../../src/postgres/pool.js';
import { beginRun, endRun, markStreams, type RunRef } from '../../src/postgres/runs.js';
import { at, FROM, LEADS, LIVE_FROM, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

let warehouse: Warehouse;
beforeEach(async () => {
  warehouse = await openWarehouse();
});
afterEach(() => warehouse.close());

const LATER = addMillis(LIVE_FROM, 60_000);

async function bookmarkOf(stream: string): Promise<string | undefined> {
  const bookmarks = await readBookmarks(warehouse.pool, SCHEMA);
  return bookmarks.find((bookmark) => bookmark.stream === stream)?.bookmark;
}

function outcomes() {
  return warehouse.rows(
    `SELECT run, outcome, coalesce(finished_at >= started_at, false) AS "isOver"
       FROM closehaul.runs ORDER BY run`,
  );
}

function run(name: string, kind: RunRef['kind'] = 'incremental'): RunRef {
  return { schema: SCHEMA, job: kind === 'incremental' ? 'live' : 'initial', run: name, kind };
}

function begin(ref: RunRef, to: Instant = LATER): Promise<readonly SliceRef[]> {
  const slice = { stream: 'leads', part: 'lead', from: LIVE_FROM, to, bookmarkOnClose: to };
  return beginRun(warehouse.pool, ref, (open) => (open.has('leads.lead') ? [] : [slice]));
}

async function load(
  ref: SliceRef | undefined,
  id: string,
  version = 0,
  isLast = true,
): Promise<void> {
  if (ref === undefined) throw new Error('no slice was planned');
  await warehouse.load(LEADS, [{ id, date_updated: at(1) }], {
    ...{ ref, version, next: isLast ? null : { page: version + 1 } },
  });
}

describe('a bookmark', () => {
  it('stands where the live lane begins, and moves only when a slice closes', async () => {
    expect(await bookmarkOf('leads')).toBe(LIVE_FROM);
    const [ref] = await begin(run('r1'));
    await load(ref, 'lead_1', 0, false);
    expect(await bookmarkOf('leads')).toBe(LIVE_FROM);
    await load(ref, 'lead_2', 1);
    expect(await bookmarkOf('leads')).toBe(LATER);
    expect(await bookmarkOf('activities')).toBe(LIVE_FROM);
  });

  it('never goes back, and the history lane leaves it alone', async () => {
    await load(await warehouse.slice(LEADS, 'live', LATER), 'lead_1');
    await load(await warehouse.slice(LEADS, 'live', LIVE_FROM), 'lead_2');
    await load(await warehouse.slice(LEADS, 'initial'), 'lead_3');
    expect(await bookmarkOf('leads')).toBe(LATER);
  });
});

describe('planning', () => {
  it('twice gives the same slices, newest first, and keeps how far each is', async () => {
    const slices = [FROM, LIVE_FROM].map((from) => ({
      ...{ stream: 'leads', part: 'lead', from, to: addMillis(from, 1000), bookmarkOnClose: null },
    }));
    const plan = (): Promise<readonly SliceRef[]> =>
      inTransaction(warehouse.pool, (client) => planCheckpoints(client, SCHEMA, 'initial', slices));
    const first = await plan();
    expect(first.map(({ slice }) => slice.slice(5, 9))).toEqual(['2026', '2024']);
    await load(first[0], 'lead_1', 0, false);
    expect(await plan()).toEqual(first);
    expect(await readCheckpoint(warehouse.pool, first[0]!)).toMatchObject({ version: 1 });
    await load(first[0], 'lead_2', 1);
    expect(await plan()).toEqual(first.slice(1));
  });
});

describe('a run', () => {
  const inserted = async (name: string): Promise<unknown> =>
    (
      await warehouse.rows('SELECT inserted FROM closehaul.run_streams WHERE run = $1', [name])
    )[0]?.['inserted'];

  it('counts each page once, in the run that ended after it', async () => {
    const [ref] = await begin(run('r1'));
    await load(ref, 'lead_1', 0, false);
    const [first] = await endRun(warehouse.pool, run('r1'), {});
    expect(first).toMatchObject({ stream: 'leads', inserted: 1, isComplete: false, totalRows: 1 });

    const [carried] = await begin(run('r2'), addMillis(LATER, 1));
    expect(carried).toEqual(ref);
    await load(carried, 'lead_2', 1);
    const [second] = await endRun(warehouse.pool, run('r2'), {});
    expect(second).toMatchObject({ inserted: 1, isComplete: true, bookmark: LATER, totalRows: 2 });
    expect([await inserted('r1'), await inserted('r2')]).toEqual([1, 1]);
    const outcomes = await warehouse.rows('SELECT outcome FROM closehaul.runs ORDER BY run');
    expect(outcomes).toEqual([{ outcome: 'incomplete' }, { outcome: 'complete' }]);
  });

  it('says the same when its end is asked for again', async () => {
    const [ref] = await begin(run('r1'));
    await load(ref, 'lead_1');
    const first = await endRun(warehouse.pool, run('r1'), {});
    expect(await endRun(warehouse.pool, run('r1'), {})).toEqual(first);
    expect(await inserted('r1')).toBe(1);
  });

  it('that was killed before its end leaves its counts to the next one', async () => {
    const [ref] = await begin(run('r1'));
    await load(ref, 'lead_1');
    const [next] = await begin(run('r2'), addMillis(LATER, 1));
    expect(await outcomes()).toEqual([
      { run: 'r1', outcome: 'stopped', isOver: true },
      { run: 'r2', outcome: null, isOver: false },
    ]);
    await load(next, 'lead_2');
    const [summary] = await endRun(warehouse.pool, run('r2'), {});
    expect(summary).toMatchObject({ inserted: 2, totalRows: 2 });
    await begin(run('r3'), addMillis(LATER, 2));
    const open = await warehouse.rows("SELECT 1 FROM closehaul.checkpoints WHERE job = 'live'");
    expect(open).toHaveLength(1);
  });

  it('that is begun twice at once plans one slice', async () => {
    const both = await Promise.all([
      begin(run('r1'), LATER),
      begin(run('r1'), addMillis(LATER, 1)),
    ]);
    expect(both[0]).toEqual(both[1]);
    expect(both[0]).toHaveLength(1);
  });

  it('with a problem is incomplete and its stream shows it', async () => {
    const [ref] = await begin(run('r1'));
    await load(ref, 'lead_1');
    await endRun(warehouse.pool, run('r1'), { leads: 'Close said no' });
    const [status] = await warehouse.rows(
      "SELECT status, problem, last_success_at FROM closehaul.sync_status WHERE stream = 'leads'",
    );
    expect(status).toEqual({
      ...{ status: 'Incomplete', problem: 'Close said no', last_success_at: null },
    });
  });

  it('cannot be stored with a record that is unaccounted for', async () => {
    await begin(run('r1'));
    const insert = warehouse.rows(
      `INSERT INTO closehaul.run_streams VALUES ('r1', 'leads', 1, 1, 5, 1, 1, 1, 1, 0, 4)`,
    );
    await expect(insert).rejects.toMatchObject({ constraint: 'nothing_unaccounted' });
  });
});

it('shows each stream in sync_status, also while it runs', async () => {
  await markStreams(warehouse.pool, SCHEMA, ['leads'], 'Syncing');
  const [ref] = await begin(run('r1'));
  await load(ref, 'lead_1', 0, false);
  const lines = await warehouse.rows(
    `SELECT schema, stream, status, bookmark, rows, lag IS NOT NULL AS has_lag, last_success_at
       FROM closehaul.sync_status ORDER BY stream DESC`,
  );
  const common = { schema: SCHEMA, bookmark: LIVE_FROM, has_lag: true, last_success_at: null };
  expect(lines).toEqual([
    { ...common, stream: 'leads', status: 'Syncing', rows: 1 },
    { ...common, stream: 'activities', status: 'Pending', rows: 0 },
  ]);
  await load(ref, 'lead_2', 1);
  await endRun(warehouse.pool, run('r1'), {});
  const [done] = await warehouse.rows(
    `SELECT status, rows, last_success_at IS NOT NULL AS succeeded FROM closehaul.sync_status
      WHERE stream = 'leads'`,
  );
  expect(done).toEqual({ status: 'Up to date', rows: 2, succeeded: true });
});
