import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { Probe } from '../../src/activities/deps.js';
import {
  REQUEST_REBUILD_UPDATE,
  SIGNALS,
  type RebuildAnswer,
  type StatusAnswer,
} from '../../src/contract.js';
import { instantFromMillis } from '../../src/core/instant.js';
import { openRebuild, swapRebuild } from '../../src/postgres/rebuild.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { isSettled, startConnection, statusOf, untilStatus } from '../support/e2e-connection.js';
import { buildOnce, closehaul, endProcesses } from '../support/e2e-process.js';
import { differences, readWarehouse } from '../support/e2e-warehouse.js';
import { PageGate } from '../support/page-gate.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';

const START = '2026-08-01';
/** One of each kind: history and live, a list, effects of others. */
const STREAMS = ['leads', 'activities', 'contacts', 'users'];

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;
let probe: Probe = () => undefined;

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 40, activities: 500, from: `${START}T00:00:00Z` });
  worker = await testWorker(database.url, sandbox.url, (point, ref) => probe(point, ref));
});

afterAll(async () => {
  await endProcesses();
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

/** So that one test's trouble is not the next one's. */
afterEach(async () => {
  sandbox.setFaults([]);
  probe = () => undefined;
  for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus="Running"' })) {
    await client.workflow
      .getHandle(workflowId)
      .terminate()
      .catch(() => undefined);
  }
});

const request = (handle: WorkflowHandle, input: unknown = {}): Promise<RebuildAnswer> =>
  handle.executeUpdate<RebuildAnswer, [unknown]>(REQUEST_REBUILD_UPDATE, { args: [input] });

async function settled(name: string, every = '1d'): Promise<WorkflowHandle> {
  const handle = await startConnection(client, { name, startDate: START, every, streams: STREAMS });
  await untilStatus(handle, 'up to date', isSettled);
  return handle;
}

/** Holds the rebuild of a schema once some records are in its new tables. */
function holdRebuild(schema: string): PageGate {
  const gate = new PageGate((ref) => ref.schema === `${schema}__rebuild`);
  ({ probe } = gate);
  return gate;
}

/** Swapped, synced since, and nothing is left to do. */
function untilRebuilt(handle: WorkflowHandle, syncsBefore = 0): Promise<StatusAnswer> {
  return untilStatus(
    handle,
    'rebuilt and synced',
    (status) =>
      status.rebuild?.status === 'done' && isSettled(status) && status.syncsCompleted > syncsBefore,
    120_000,
  );
}

async function rows<Row extends object>(text: string): Promise<Row[]> {
  return (await database.pool.query<Row>(text)).rows;
}

/** What a connection that never had other tables holds of the same account. */
async function differencesFromFresh(
  schema: string,
  name: string,
  layout: string,
): Promise<unknown> {
  const handle = await startConnection(client, {
    name,
    startDate: START,
    layout,
    every: '1d',
    streams: STREAMS,
  });
  await untilStatus(handle, 'the fresh one is up to date', isSettled);
  const fresh = await readWarehouse(database.pool, name.toLowerCase().replace(/\W/g, '_'));
  return differences(fresh, await readWarehouse(database.pool, schema));
}

describe('a rebuild', () => {
  it('to another layout loses nothing that changes meanwhile, and the old tables stay current', async () => {
    const handle = await settled('Anew', '10s');
    await database.pool.query('CREATE VIEW public.anew AS SELECT id, description FROM anew.leads');
    const [lead] = [...sandbox.world.leads()] as { readonly id: string }[];
    const gate = holdRebuild('anew');

    expect(await request(handle, { layout: 'jsonb' })).toEqual({ status: 'queued' });
    await gate.reached;
    const { syncsCompleted } = await statusOf(handle);
    const now = new Date().toISOString();
    sandbox.world.updateLead(lead?.id ?? '', { description: 'changed', date_updated: now });
    sandbox.world.createLead({ name: 'Brand New' });
    await handle.signal(SIGNALS.syncNow);
    const during = await untilStatus(
      handle,
      'a sync ended',
      (status) => status.syncsCompleted > syncsCompleted,
    );
    const old = await rows(`SELECT items__name FROM anew.leads__contacts LIMIT 1`);
    const current = await rows(`SELECT id FROM anew.leads WHERE name = 'Brand New'`);

    gate.release();
    const after = await untilRebuilt(handle, during.syncsCompleted);

    expect(during.rebuild?.status, 'the sync was during the rebuild').toBe('running');
    expect([old.length, current.length]).toEqual([1, 1]);
    expect(after).toMatchObject({
      rebuild: { layout: 'jsonb', status: 'done', problem: null },
      ...{ problem: null, historicalSync: 'done' },
    });
    expect(after.rebuild?.records).toBeGreaterThan(500);
    expect(await rows(`SELECT description FROM public.anew WHERE id = '${lead?.id}'`)).toEqual([
      { description: 'changed' },
    ]);
    await until('the old tables are dropped', async () => {
      return (await rows(`SELECT FROM pg_namespace WHERE nspname LIKE 'anew\\_\\_%'`)).length === 0;
    });
    expect(await differencesFromFresh('anew', 'Anew Jsonb', 'jsonb')).toEqual([]);
  }, 180_000);

  it('asked for again and again is one', async () => {
    const handle = await settled('Again');
    const gate = holdRebuild('again');
    await request(handle, { layout: 'stitch-v2' });
    await handle.signal(SIGNALS.rebuild, { layout: 'stitch-v2' });
    await gate.reached;
    expect(await request(handle, { layout: 'stitch-v2' })).toEqual({ status: 'running' });
    await handle.signal(SIGNALS.rebuild);
    const failure: unknown = await request(handle, { layout: 'jsonb' }).catch(
      (error: Error) => (error.cause as Error).message,
    );
    gate.release();

    const after = await untilRebuilt(handle);

    expect(failure).toMatch(/rebuild to layout stitch-v2 is under way/);
    expect(after.rejectedRequests).toEqual([]);
    expect(
      await rows(`SELECT schema_name FROM closehaul.runs WHERE kind = 'rebuild'
                     AND schema_name LIKE 'again%' AND outcome IS NOT NULL`),
    ).toEqual([{ schema_name: 'again' }]);
    expect(await rows('SELECT FROM again.leads__contacts WHERE name IS NOT NULL')).not.toEqual([]);
  }, 120_000);

  it.each([[17], [[]], ['jsonb'], [{ layout: 'flat' }], [{ layouts: 'jsonb' }]])(
    'is refused for %j, and the signal is written down',
    async (input) => {
      const handle = await settled(`Bad ${JSON.stringify(input).replace(/\W+/g, '')}`);
      await expect(request(handle, input)).rejects.toThrow();
      await handle.signal(SIGNALS.rebuild, input);
      const status = await untilStatus(
        handle,
        'it is written down',
        ({ rejectedRequests }) => rejectedRequests.length === 1,
      );
      expect(status.rejectedRequests).toMatchObject([{ request: 'rebuild' }]);
      expect(status.rebuild).toBeNull();
    },
  );

  it('stops when it is paused, and goes on where it was', async () => {
    const handle = await settled('Resting');
    const gate = holdRebuild('resting');
    await request(handle);
    await gate.reached;
    await handle.signal(SIGNALS.pause);
    const paused = await untilStatus(
      handle,
      'paused',
      ({ rebuild }) => rebuild?.status === 'queued',
    );
    expect(paused.status).toBe('Paused');
    const pages = await rows<{ pages: number }>(
      `SELECT sum(pages)::int AS pages FROM closehaul.checkpoints WHERE schema_name = 'resting__rebuild'`,
    );
    gate.release();
    await handle.signal(SIGNALS.resume);

    await untilRebuilt(handle);

    expect(pages[0]?.pages).toBeGreaterThan(0);
    // Each record was read once, whichever run read it: no page was read twice.
    const read = await rows<{ fetched: number; same: number }>(
      `SELECT sum(fetched)::int AS fetched, sum(unchanged)::int AS same
         FROM closehaul.run_streams JOIN closehaul.runs USING (run)
        WHERE schema_name = 'resting' AND kind = 'rebuild'`,
    );
    const first = await rows<{ fetched: number; same: number }>(
      `SELECT sum(fetched)::int AS fetched, sum(unchanged)::int AS same
         FROM closehaul.run_streams JOIN closehaul.runs USING (run)
        WHERE schema_name = 'resting' AND kind = 'initial'`,
    );
    expect(read).toEqual(first);
  }, 120_000);

  it('is swapped once when the answer of the swap is lost', async () => {
    const handle = await settled('Lost');
    let lost = 0;
    probe = (point) => {
      if (point !== 'swap-committed' || lost > 0) return;
      lost += 1;
      throw new Error('the answer is lost');
    };
    await request(handle, { layout: 'jsonb' });
    await untilRebuilt(handle);
    expect(lost).toBe(1);
    expect(await differencesFromFresh('lost', 'Lost Jsonb', 'jsonb')).toEqual([]);
  }, 120_000);

  it('goes on in a workflow that is started again', async () => {
    const first = await settled('Reborn');
    const gate = holdRebuild('reborn');
    await request(first, { layout: 'jsonb' });
    await gate.reached;
    await first.terminate();
    gate.release();

    const handle = await startConnection(client, {
      name: 'Reborn',
      startDate: START,
      every: '1d',
      streams: STREAMS,
    });

    const after = await untilRebuilt(handle);
    expect(after).toMatchObject({ rebuild: { layout: 'jsonb', status: 'done' }, problem: null });
    // And once more: without a layout it takes the one that the tables have.
    await handle.terminate();
    const again = await startConnection(client, {
      name: 'Reborn',
      startDate: START,
      every: '1d',
      streams: STREAMS,
    });
    await untilStatus(again, 'up to date', isSettled);
    const fetched = await rows<{ fetched: number }>(
      `SELECT sum(fetched)::int AS fetched FROM closehaul.run_streams JOIN closehaul.runs USING (run)
        WHERE schema_name = 'reborn' AND kind = 'initial' GROUP BY run ORDER BY min(started_at)`,
    );
    const [readFirst, ...readLater] = fetched.map((run) => run.fetched);
    expect(readFirst).toBeGreaterThan(500);
    expect(readLater, 'its history counts as read').toEqual([0, 0]);
  }, 120_000);

  it('names what it cannot take along, keeps the old tables, and another one waits for them', async () => {
    const handle = await settled('Keeper');
    await database.pool.query(
      'CREATE VIEW public.keeper AS SELECT items__name FROM keeper.leads__contacts',
    );
    await request(handle, { layout: 'jsonb' });
    const { rebuild } = await untilRebuilt(handle);
    expect(rebuild?.problem).toMatch(/keeper__replaced.*view public\.keeper.*DROP SCHEMA/);
    expect((await rows('SELECT FROM public.keeper')).length).toBeGreaterThan(0);

    await request(handle);
    const waiting = await untilStatus(
      handle,
      'it waits',
      (status) => status.rebuild?.status === 'incomplete',
    );
    expect(waiting.rebuild?.problem).toMatch(/keeper__replaced still holds the tables/);
    expect(waiting).toMatchObject({ status: 'Up to date', problem: null });

    await database.pool.query('DROP SCHEMA keeper__replaced CASCADE');
    await handle.signal(SIGNALS.resume);
    expect((await untilRebuilt(handle)).rebuild?.problem).toBeNull();
  }, 120_000);

  it('waits for a name that is somebody’s, while the syncs go on', async () => {
    const handle = await settled('Named');
    await request(handle, { layout: 'jsonb' });
    await untilRebuilt(handle);
    await database.pool.query('CREATE TABLE named.leads__contacts (mine text)');
    await request(handle, { layout: 'stitch' });
    const waiting = await untilStatus(
      handle,
      'it waits',
      (status) => status.rebuild?.problem !== null && status.rebuild?.status === 'swapping',
    );
    expect(waiting.rebuild?.problem).toMatch(/relation leads__contacts of somebody else/);
    await handle.signal(SIGNALS.syncNow);
    await untilStatus(
      handle,
      'synced meanwhile',
      ({ syncsCompleted }) => syncsCompleted > waiting.syncsCompleted,
    );
    await database.pool.query('ALTER TABLE named.leads__contacts RENAME TO mine');
    await handle.signal(SIGNALS.resume);
    await untilRebuilt(handle);
    expect(await rows('SELECT FROM named.mine')).toEqual([]);
  }, 120_000);
});

it('a worker that knew only the old tables notices by itself, and goes on with the new ones', async () => {
  const handle = await settled('Unaware');
  const { syncsCompleted } = await untilStatus(handle, 'it is idle', isSettled);
  const liveFrom = instantFromMillis(Date.now());
  // As another worker does it.
  const task = { schema: 'unaware', layout: 'jsonb', streams: CLOSE_STREAMS, liveFrom } as const;
  await openRebuild(database.pool, task);
  await swapRebuild(database.pool, 'unaware', ['activities']);
  const [lead] = [...sandbox.world.leads()] as { readonly id: string }[];
  const now = new Date().toISOString();
  sandbox.world.updateLead(lead?.id ?? '', { description: 'noticed', date_updated: now });
  await handle.signal(SIGNALS.syncNow);

  await untilStatus(handle, 'synced', (status) => status.syncsCompleted > syncsCompleted);

  expect(
    await rows(`SELECT id, pg_typeof(contacts)::text AS contacts FROM unaware.leads
                 WHERE description = 'noticed'`),
  ).toEqual([{ id: lead?.id, contacts: 'jsonb' }]);
  expect(await rows(`SELECT to_regclass('unaware.leads__contacts') AS old`)).toEqual([
    { old: null },
  ]);
});

it('a rebuild goes on where it was when its workers are killed', async () => {
  const handle = await settled('Killed');
  await worker?.stop();
  worker = undefined;
  const env = testEnv(database.url, sandbox.url);
  sandbox.setFaults(['slow=60']);
  let process = closehaul(['worker'], { env });
  await request(handle, { layout: 'jsonb' });
  const stored = (): Promise<{ records: number }[]> =>
    rows(`SELECT coalesce(sum(fetched), 0)::int AS records FROM closehaul.checkpoints
           WHERE schema_name = 'killed__rebuild'`);
  const killedAt: number[] = [];
  for (const records of [1, 200]) {
    await until(`${records} records are loaded`, async () => {
      return ((await stored())[0]?.records ?? 0) >= records;
    });
    await process.kill();
    killedAt.push((await stored())[0]?.records ?? 0);
    process = closehaul(['worker'], { env });
  }
  sandbox.setFaults([]);

  await untilRebuilt(handle);

  expect(new Set(killedAt).size, 'each kill came after new records').toBe(2);
  expect(await differencesFromFresh('killed', 'Killed Jsonb', 'jsonb')).toEqual([]);
}, 240_000);
