import { WorkflowUpdateFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../src/activities/deps.js';
import {
  REQUEST_BACKFILL_UPDATE,
  SIGNALS,
  type BackfillAnswer,
  type StatusAnswer,
} from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import {
  isSettled,
  startConnection,
  statusOf,
  untilNothingRuns,
  untilStatus,
} from '../support/e2e-connection.js';
import {
  closeActivities,
  doubledActivities,
  loadedActivitiesBefore,
} from '../support/e2e-older.js';
import { PageGate } from '../support/page-gate.js';
import { drain, ids } from '../support/sandbox-client.js';
import {
  testClient,
  testDatabase,
  testSandbox,
  testWorker,
  type TestDatabase,
} from '../support/stack.js';

/** What Close has begins here. */
const OLDEST = '2026-01-01';
const START_DATE = '2026-09-01';
const UNTIL = '2026-11-01';

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;
let handle: WorkflowHandle;
let probe: Probe = () => undefined;

beforeAll(async () => {
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ from: `${OLDEST}T00:00:00Z`, leads: 40, activities: 500 });
  worker = await testWorker(database.url, sandbox.url, (point, ref) => probe(point, ref));
});

afterAll(async () => {
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

beforeEach(() => {
  sandbox.setFaults([]);
});

afterEach(async () => {
  probe = () => undefined;
  await handle.terminate().catch(() => undefined);
  for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus="Running"' })) {
    await client.workflow
      .getHandle(workflowId)
      .terminate()
      .catch(() => undefined);
  }
  await untilNothingRuns(client);
});

async function begin(name: string): Promise<string> {
  handle = await startConnection(client, { name, startDate: START_DATE });
  return name.toLowerCase().replace(' ', '_');
}

function untilDone(what: string, count: number): Promise<StatusAnswer> {
  return untilStatus(
    handle,
    what,
    ({ backfills }) =>
      backfills.length === count && backfills.every(({ status }) => status === 'done'),
  );
}

function ask(input: unknown): Promise<BackfillAnswer> {
  return handle.executeUpdate(REQUEST_BACKFILL_UPDATE, { args: [input] });
}

/** The table of activities has exactly what Close has from the date on, and nothing twice. */
async function expectExactly(schema: string, from: string): Promise<void> {
  expect(await loadedActivitiesBefore(database.pool, schema, UNTIL)).toEqual(
    await closeActivities(sandbox.url, from, UNTIL),
  );
  expect(await doubledActivities(database.pool, schema)).toEqual([]);
}

describe('after a backfill from an earlier date', () => {
  it('the tables hold exactly what Close has from that date on', async () => {
    const schema = await begin('Earlier');
    await untilStatus(handle, 'up to date', isSettled);
    await expectExactly(schema, START_DATE);

    await handle.signal(SIGNALS.backfill, '2026-04-15');
    await untilDone('the backfill is done', 1);

    await expectExactly(schema, '2026-04-15');
    const { rows } = await database.pool.query<{ id: string }>(
      `SELECT id FROM ${schema}.leads ORDER BY id COLLATE "C"`,
    );
    const leads = await drain(sandbox.url, '/lead/', { query: 'date_updated>="2026-04-15"' });
    expect(rows.map(({ id }) => id)).toEqual(ids(leads).sort());
  });

  it('asked for while the first sync runs, the tables hold both', async () => {
    const gate = new PageGate(({ schema }) => schema === 'meanwhile');
    ({ probe } = gate);
    const schema = await begin('Meanwhile');
    await gate.reached;
    const { historicalSync } = await statusOf(handle);
    const answers = [
      await ask({ from: '2026-06-01', to: START_DATE, id: 'one' }),
      await ask({ from: '2026-05-01', to: '2026-06-01', id: 'two' }),
    ];
    const behind = await statusOf(handle);
    gate.release();
    await untilDone('both are done', 2);

    expect(historicalSync).toBe('running');
    expect(answers.map(({ queuedBehind, status }) => [queuedBehind, status])).toEqual([
      [0, 'queued'],
      [1, 'queued'],
    ]);
    expect(behind.backfills.map(({ id }) => id)).toEqual(['one', 'two']);
    await untilStatus(handle, 'up to date', isSettled);
    await expectExactly(schema, '2026-05-01');
  });

  it('with bounds and streams, only those came, and no bookmark moved back', async () => {
    const schema = await begin('Bounded');
    const before = await untilStatus(handle, 'up to date', isSettled);

    const request = { from: '2026-05-01', to: '2026-06-01', streams: ['activities'], id: 'may' };
    await Promise.all([ask(request), ask(request), handle.signal(SIGNALS.backfill, request)]);
    const after = await untilDone('one job is done', 1);

    const may = await closeActivities(sandbox.url, '2026-05-01', '2026-06-01');
    expect(may.length).toBeGreaterThan(10);
    expect(await loadedActivitiesBefore(database.pool, schema, START_DATE)).toEqual(may);
    expect(after.backfills).toEqual([
      {
        ...request,
        from: at('2026-05-01'),
        to: at('2026-06-01'),
        status: 'done',
        records: may.length,
      },
    ]);
    const bookmarks = (answer: StatusAnswer): readonly (string | null)[] =>
      answer.streams.map(({ bookmark }) => bookmark);
    for (const [index, bookmark] of bookmarks(after).entries()) {
      expect(Date.parse(bookmark ?? '')).toBeGreaterThanOrEqual(
        Date.parse(bookmarks(before)[index] ?? ''),
      );
    }
    expect(after.streams[0]).toEqual(before.streams[0]);
  });

  it('the syncs have gone on beside it', async () => {
    await begin('Beside');
    const { syncsCompleted } = await untilStatus(handle, 'up to date', isSettled);
    const gate = new PageGate(({ job }) => job.startsWith('backfill/'));
    ({ probe } = gate);
    await handle.signal(SIGNALS.backfill, OLDEST);
    await gate.reached;

    await handle.signal(SIGNALS.syncNow);
    const { backfills } = await untilStatus(
      handle,
      'synced',
      (status) => status.syncsCompleted > syncsCompleted,
    );

    gate.release();
    expect(backfills[0]?.status).toBe('running');
  });
});

function at(day: string): string {
  return `${day}T00:00:00.000000Z`;
}

/** What a person might send by mistake, and the reason that tells them. */
const NONSENSE: readonly [unknown, RegExp][] = [
  [undefined, /must be a date, or an object/],
  [null, /must be a date, or an object/],
  [20240101, /must be a date, or an object/],
  [true, /must be a date, or an object/],
  [[], /must be a date, or an object/],
  [['2024-01-01', '2024-02-01'], /must be a date, or an object/],
  [{}, /"from" must be an ISO date/],
  ['', /"from" must be an ISO date/],
  ['yesterday', /"from" must be an ISO date/],
  ['01.02.2024', /"from" must be an ISO date/],
  ['2023-02-29', /"from" must be an ISO date/],
  [{ from: 1704067200 }, /"from" must be an ISO date/],
  [{ from: ['2024-01-01'] }, /"from" must be an ISO date/],
  ['2999-01-01', /"from" lies in the future/],
  [{ from: '2024-01-01', to: '2023-01-01' }, /"to" must be after "from"/],
  [{ from: '2024-01-01', to: 'now' }, /"to" must be an ISO date/],
  [{ from: '2024-01-01', streams: 'leads' }, /"streams" must be a list/],
  [{ from: '2024-01-01', streams: [] }, /"streams" is empty/],
  [{ from: '2024-01-01', streams: ['invoices'] }, /"streams" names one/],
  [{ from: '2024-01-01', streams: [{ name: 'leads' }] }, /"streams" must be a list/],
  [{ from: '2024-01-01', id: 'a b' }, /"id" must be 1 to 64/],
  [{ from: '2024-01-01', id: 7 }, /"id" must be 1 to 64/],
  [{ since: '2024-01-01' }, /fields other than/],
  [{ from: '2024-01-01', until: '2024-02-01' }, /fields other than/],
];

describe('a request that is nonsense', () => {
  it('is recorded with its reason when it came by signal, whatever it is', async () => {
    await begin('Nonsense');
    await untilStatus(handle, 'up to date', isSettled);

    for (const [index, [input, reason]] of NONSENSE.entries()) {
      await handle.signal(SIGNALS.backfill, input);
      const { rejectedRequests, requests } = await statusOf(handle);
      expect(rejectedRequests.at(-1), JSON.stringify(input)).toMatchObject({
        ...{ request: 'backfill', reason: expect.stringMatching(reason) as string },
      });
      expect(requests.rejected).toBe(index + 1);
    }
    expect(await statusOf(handle)).toMatchObject({ status: 'Up to date', backfills: [] });
  });

  it('is refused with its reason when it came by update, and leaves no trace', async () => {
    await begin('Refused');
    await untilStatus(handle, 'up to date', isSettled);
    const { historyLength } = await handle.describe();

    for (const [input, reason] of NONSENSE) {
      const refusal: unknown = await ask(input).catch((error: unknown) => error);
      expect(refusal, JSON.stringify(input)).toBeInstanceOf(WorkflowUpdateFailedError);
      expect((refusal as WorkflowUpdateFailedError).cause?.message).toMatch(reason);
    }
    expect(await statusOf(handle)).toMatchObject({
      ...{ backfills: [], rejectedRequests: [], requests: { accepted: 0, rejected: 0 } },
    });
    expect((await handle.describe()).historyLength).toBe(historyLength);
  });

  it('does not stop a connection, whichever signal it came by', async () => {
    await begin('Unmoved');
    await untilStatus(handle, 'up to date', isSettled);
    const junk = [null, 17, 'x', [], {}, { job: 'initial' }, { job: 'x', streams: [{}] }];

    for (const name of ['progress', 'set', 'synchNow']) {
      for (const input of junk) await handle.signal(name, input);
    }
    await handle.signal(SIGNALS.syncNow, { and: 'more' });

    const answer = await untilStatus(handle, 'synced', (status) => status.syncsCompleted > 1);
    expect(answer.rejectedRequests.at(-1)?.reason).toMatch(/no such signal; there are backfill/);
    await untilStatus(handle, 'up to date', ({ status }) => status === 'Up to date');
  });
});
