import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectionWorkflowId, SIGNALS, TASK_QUEUE, WORKFLOW_TYPES } from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import type { Probe } from '../../src/activities/deps.js';
import { canarySightings } from '../support/e2e-canary.js';
import {
  isSettled,
  isSettledSince,
  startConnection,
  statusOf,
  untilStatus,
} from '../support/e2e-connection.js';
import { closeActivities, loadedActivitiesBefore } from '../support/e2e-older.js';
import { PageGate } from '../support/page-gate.js';
import {
  TEST_KEY,
  testClient,
  testDatabase,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;
let probe: Probe = () => undefined;

beforeAll(async () => {
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 40, activities: 400 });
  worker = await testWorker(database.url, sandbox.url, (point, ref) => probe(point, ref));
});

afterAll(async () => {
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

/** So that one test's trouble is not the next one's. */
afterEach(async () => {
  sandbox.setFaults([]);
  probe = () => undefined;
  sandbox.setApiKey(null);
  for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus="Running"' })) {
    await client.workflow
      .getHandle(workflowId)
      .terminate()
      .catch(() => undefined);
  }
});

async function requestsNow(): Promise<number> {
  return Promise.resolve(sandbox.stats().requests);
}

describe('a connection', () => {
  it('goes from Pending through the historical sync to Up to date', async () => {
    const seen = new Set<string>();
    const handle = await startConnection(client, { name: 'Life', startDate: '2025-11-01' });

    await until('up to date', async () => {
      const status = await statusOf(handle).catch(() => undefined);
      if (status !== undefined) seen.add(status.status);
      return status !== undefined && isSettled(status);
    });

    for (const word of seen) {
      expect(['Pending', 'Historical sync', 'Syncing', 'Up to date']).toContain(word);
    }
    expect(seen).toContain('Up to date');
  });

  it('asks nothing of Close while it is paused, and goes on after resume', async () => {
    const handle = await startConnection(client, { name: 'Paused', every: '10s' });
    await untilStatus(handle, 'up to date', isSettled);
    await handle.signal(SIGNALS.pause);
    const { nextSyncAt, syncsCompleted } = await untilStatus(
      handle,
      'paused',
      ({ status }) => status === 'Paused',
    );
    expect(nextSyncAt).toBeNull();
    const before = await requestsNow();
    await handle.signal(SIGNALS.syncNow);
    expect((await statusOf(handle)).syncsCompleted).toBe(syncsCompleted);
    expect(await requestsNow()).toBe(before);

    await handle.signal(SIGNALS.resume);

    await untilStatus(handle, 'synced', (status) => status.syncsCompleted > syncsCompleted);
  });

  it('stops in the middle of its historical sync when it is paused, and reads the rest later', async () => {
    const gate = new PageGate(({ schema }) => schema === 'half_way');
    ({ probe } = gate);
    const handle = await startConnection(client, { name: 'Half Way', startDate: '2025-11-01' });
    await gate.reached;
    await handle.signal(SIGNALS.pause);
    await until('the page in hand is finished', async () => {
      const query = 'WorkflowType="historicalSync" AND ExecutionStatus="Running"';
      return (await client.workflow.count(query)).count === 0;
    });
    const paused = await untilStatus(
      handle,
      'its history waits',
      ({ status, historicalSync }) => status === 'Paused' && historicalSync === 'pending',
    );
    const before = await requestsNow();
    gate.release();
    await handle.signal(SIGNALS.syncNow);
    expect((await statusOf(handle)).status).toBe('Paused');
    expect(await requestsNow()).toBe(before);

    await handle.signal(SIGNALS.resume);

    const answer = await untilStatus(handle, 'up to date', isSettled);
    const all = await closeActivities(sandbox.url, '2025-11-01', '2026-11-01');
    expect(await loadedActivitiesBefore(database.pool, 'half_way', '2026-11-01')).toEqual(all);
    expect(answer.streams[1]?.rows).toBeGreaterThan(paused.streams[1]?.rows ?? 0);
  });

  it('is blocked by a key that Close refuses, and freed by resume once it is good', async () => {
    const handle = await startConnection(client, { name: 'Blocked' });
    await untilStatus(handle, 'up to date', isSettled);
    sandbox.setApiKey('api_another');
    await handle.signal(SIGNALS.syncNow);

    const blocked = await untilStatus(handle, 'blocked', ({ status }) => status === 'Blocked');
    expect(blocked.problem).toMatch(/Close rejected the API key .*HTTP 401.*resume/);
    expect(blocked.problem).not.toContain(TEST_KEY);

    sandbox.setApiKey(null);
    await handle.signal(SIGNALS.resume);
    await handle.signal(SIGNALS.syncNow);
    const freed = await untilStatus(handle, 'synced again', isSettledSince(blocked));
    expect(freed.problem).toBeNull();
  });

  it.each([
    ['forbidden', 'HTTP 403'],
    ['not-found', 'HTTP 404'],
  ])('goes on with the other streams when one is %s, and says which', async (fault, problem) => {
    sandbox.setFaults([`${fault}=/lead/`]);
    const handle = await startConnection(client, { name: `Leads ${fault}` });

    const answer = await untilStatus(
      handle,
      'the first syncs are over',
      (status) => status.syncsCompleted > 0 && status.status === 'Incomplete',
    );

    const [leads, activities] = answer.streams;
    expect(leads).toMatchObject({ name: 'leads', status: 'Incomplete', rows: 0 });
    expect(leads?.error).toContain(problem);
    expect(answer.problem).toContain(problem);
    expect(activities).toMatchObject({ name: 'activities', status: 'Up to date', error: null });
    expect(activities?.rows).toBeGreaterThan(300);

    sandbox.setFaults([]);
    await handle.signal(SIGNALS.resume);
    await untilStatus(
      handle,
      'leads are there too',
      (status) => isSettled(status) && (status.streams[0]?.rows ?? 0) > 0,
    );
  });

  it('is incomplete, and says of which stream, while Close counts more than it gives', async () => {
    sandbox.setFaults(['hidden-rows=1:/lead/']);
    const handle = await startConnection(client, { name: 'Short' });
    const short = await untilStatus(
      handle,
      'the first syncs are over',
      (status) => status.syncsCompleted > 0 && status.status === 'Incomplete',
    );
    const told = /Close counts \d+ more records of leads than it gives/;
    expect([short.historicalSync, short.problem]).toEqual([
      'incomplete',
      expect.stringMatching(told),
    ]);
    const failing = short.streams.filter(({ error }) => error !== null);
    expect(failing).toMatchObject([{ name: 'leads', status: 'Incomplete' }]);
    const rowsWhileShort = failing[0]?.rows ?? 0;

    sandbox.setFaults([]);
    await handle.signal(SIGNALS.resume);
    const { problem, streams } = await untilStatus(handle, 'all is there', isSettled);
    expect(problem).toBeNull();
    const leads = streams.find(({ name }) => name === 'leads');
    expect(leads?.rows).toBeGreaterThan(rowsWhileShort);
  });

  it('does not take another organization’s key for the tables of the first', async () => {
    const handle = await startConnection(client, { name: 'Organization' });
    await untilStatus(handle, 'up to date', isSettled);
    await database.pool.query(
      `UPDATE closehaul.connections SET organization_id = 'orga_other' WHERE schema_name = 'organization'`,
    );
    await worker?.stop();
    worker = await testWorker(database.url, sandbox.url);
    await handle.signal(SIGNALS.syncNow);

    const blocked = await untilStatus(handle, 'blocked', ({ status }) => status === 'Blocked');

    expect(blocked.problem).toMatch(/another Close organization/);
  });

  it('asks Close hardly anything while it is blocked', async () => {
    const handle = await startConnection(client, { name: 'Quiet', every: '10s' });
    await untilStatus(handle, 'up to date', isSettled);
    sandbox.setApiKey('api_another');
    await handle.signal(SIGNALS.syncNow);
    await untilStatus(handle, 'blocked', ({ status }) => status === 'Blocked');
    const before = await requestsNow();

    // Two signals that change nothing of the key, each a turn of every lane.
    await handle.signal(SIGNALS.syncNow);
    await handle.signal(SIGNALS.set, { every: '20s' });
    await untilStatus(handle, 'settings are taken', ({ every }) => every === '20s');

    expect((await requestsNow()) - before).toBeLessThanOrEqual(1);
    expect((await statusOf(handle)).status).toBe('Blocked');
  });

  it('reads the history of a stream that is added later', async () => {
    const handle = await startConnection(client, { name: 'Added', streams: ['leads'] });
    await untilStatus(handle, 'leads are there', isSettled);

    await handle.signal(SIGNALS.set, { streams: ['leads', 'activities'] });

    const answer = await untilStatus(
      handle,
      'activities are there',
      (status) => isSettled(status) && (status.streams[1]?.rows ?? 0) > 300,
    );
    expect(answer.streams.map(({ name }) => name)).toEqual(['leads', 'activities']);
  });

  it('does not end by 500 answers and cut bodies: they are tried again', async () => {
    sandbox.setFaults(['server-error=9', 'cut-body=13']);
    const handle = await startConnection(client, { name: 'Stormy', startDate: '2024-01-01' });

    await untilStatus(handle, 'up to date', isSettled, 120_000);

    const { rows } = await database.pool.query<{ count: number }>(
      'SELECT count(*) FROM stormy.leads',
    );
    expect(rows[0]?.count).toBe([...sandbox.world.leads()].length);
  }, 150_000);

  it('reads a table again that somebody dropped, by itself, while it goes on', async () => {
    const handle = await startConnection(client, { name: 'Dropped', startDate: '2025-11-01' });
    await untilStatus(handle, 'up to date', isSettled);
    const count = async (table: string): Promise<unknown> =>
      (await database.pool.query(`SELECT count(*) AS rows FROM dropped.${table}`)).rows;
    const tables = ['leads__contacts', 'activities__to_current'];
    const before = await Promise.all(tables.map(count));
    await database.pool.query('DROP TABLE dropped.leads__contacts');
    await database.pool.query('DROP TABLE dropped.activities__to CASCADE');

    await handle.signal(SIGNALS.syncNow);
    const { backfills } = await untilStatus(
      handle,
      'both streams are read again',
      (status) =>
        status.backfills.length === 2 && status.backfills.every((b) => b.status === 'done'),
    );

    expect(backfills.map(({ id, streams }) => [id.replace(/\d+$/, ''), streams])).toEqual([
      ['reread-activities-', ['activities']],
      ['reread-leads-', ['leads']],
    ]);
    expect(await Promise.all(tables.map(count))).toEqual(before);
    expect(before).not.toContainEqual([{ rows: 0 }]);
  });

  it('replicates what changed since, and only that is written', async () => {
    const handle = await startConnection(client, { name: 'Changes' });
    const { syncsCompleted } = await untilStatus(handle, 'up to date', isSettled);
    const [lead] = [...sandbox.world.leads()] as { readonly id: string }[];
    const id = lead?.id ?? '';
    const now = new Date().toISOString();
    sandbox.world.updateLead(id, { description: 'changed', date_updated: now });

    await handle.signal(SIGNALS.syncNow);
    const { lastSync } = await untilStatus(
      handle,
      'synced again',
      isSettledSince({ syncsCompleted }),
    );

    const { rows } = await database.pool.query<{ description: string }>(
      'SELECT description FROM changes.leads WHERE id = $1',
      [id],
    );
    expect(rows).toEqual([{ description: 'changed' }]);
    expect(lastSync?.kind).toBe('incremental');
    const { rows: written } = await database.pool.query<{ updated: number; inserted: number }>(
      `SELECT updated, inserted FROM closehaul.run_streams JOIN closehaul.runs USING (run)
        WHERE schema_name = 'changes' AND stream = 'leads' ORDER BY started_at DESC LIMIT 1`,
    );
    expect(written).toEqual([{ updated: 1, inserted: 0 }]);
  });
});

describe('input that cannot be used fails the workflow at once and names the field', () => {
  it.each([
    [{}, /"name"/],
    [17, /"name"/],
    [{ name: 'X', startDate: 'tomorrow-ish' }, /start date is no ISO 8601 date/],
    [{ name: 'X', startDate: '2999-01-01' }, /start date lies in the future/],
    [{ name: 'X', every: '1 fortnight' }, /frequency/],
    [{ name: 'X', anchor: 2 }, /"anchor" must be a text/],
    [{ name: 'X', streams: 'leads' }, /"streams" must be a list/],
    [{ name: 'X', streams: ['invoices'] }, /There is no stream invoices/],
    [{ name: 'X', layout: 'flat' }, /no such layout/],
    [{ name: 'X', start_date: '2024-01-01' }, /unknown fields/],
    [{ name: '…' }, /no letter or digit/],
  ])('%j', async (input, message) => {
    const handle: WorkflowHandle = await client.workflow.start(WORKFLOW_TYPES.connection, {
      taskQueue: TASK_QUEUE,
      workflowId: connectionWorkflowId(`bad_${Math.random().toString(36).slice(2)}`),
      args: [input],
    });

    const failure: unknown = await handle.result().catch((error: unknown) => error);

    let text = '';
    for (let cause = failure; cause instanceof Error; cause = cause.cause) text += cause.message;
    expect(text).toMatch(message);
  });
});

it('no history and no table of all this holds the API key', async () => {
  expect(await canarySightings(client, [database.pool])).toEqual([]);
});
