import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SIGNALS } from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { canarySightings } from '../support/e2e-canary.js';
import {
  isSettled,
  isSettledSince,
  startConnection,
  statusOf,
  untilStatus,
} from '../support/e2e-connection.js';
import {
  closeActivities,
  doubledActivities,
  loadedActivitiesBefore,
} from '../support/e2e-older.js';
import { buildOnce, closehaul, endProcesses, type TestProcess } from '../support/e2e-process.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  until,
  type TestDatabase,
} from '../support/stack.js';

const FROM = '2026-06-01';
const UNTIL = '2026-11-01';
/** Each connection has a key of its own. */
const KEYS = { CLOSE_API_KEY_ONE: 'api_of_one', CLOSE_API_KEY_TWO: 'api_of_two' };
/** What a killed worker had in hand is given to another one after 30 s. */
const TIMEOUT_MS = 180_000;

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
const workers: TestProcess[] = [];
const handles: WorkflowHandle[] = [];

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ from: `${FROM}T00:00:00Z`, leads: 150, activities: 2_000 });
  sandbox.setFaults(['slow=300']);
  const env = { ...testEnv(database.url, sandbox.url), ...KEYS };
  for (let count = 0; count < 3; count += 1) workers.push(closehaul(['worker'], { env }));
  for (const name of ['One', 'Two']) {
    handles.push(await startConnection(client, { name, startDate: FROM }));
  }
}, TIMEOUT_MS);

afterAll(async () => {
  await endProcesses();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

/** Process ids of the workers that have begun an activity, of any workflow. */
async function pidsAtWork(): Promise<ReadonlySet<number>> {
  const pids = new Set<number>();
  for await (const { workflowId, runId } of client.workflow.list()) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const { activityTaskStartedEventAttributes: started } of events ?? []) {
      pids.add(Number(started?.identity?.split(':').at(-1)));
    }
  }
  return pids;
}

/** The worker that syncs slices of the connection just now. */
function workerOf(handle: WorkflowHandle): Promise<TestProcess> {
  const sync = client.workflow.getHandle(`${handle.workflowId}/initial`);
  return until('a worker has told of pages of it', async () => {
    const described = await sync.describe().catch(() => undefined);
    const activities = described?.raw.pendingActivities ?? [];
    const told = activities.find(({ heartbeatDetails }) => heartbeatDetails?.payloads?.length);
    return workers.find(({ pid }) => told?.lastWorkerIdentity?.endsWith(`:${pid}`));
  });
}

async function expectExactly(schema: string): Promise<void> {
  expect(await loadedActivitiesBefore(database.pool, schema, UNTIL)).toEqual(
    await closeActivities(sandbox.url, FROM, UNTIL),
  );
  expect(await doubledActivities(database.pool, schema)).toEqual([]);
}

describe('three workers of two connections', () => {
  it(
    'fill both schemas exactly, though one of them is killed with a page in hand',
    async () => {
      const [one] = handles;
      const killed = await workerOf(one as WorkflowHandle);
      await killed.kill();
      const half = await statusOf(one as WorkflowHandle);
      sandbox.setFaults([]);
      for (const handle of handles) await untilStatus(handle, 'up to date', isSettled, TIMEOUT_MS);

      expect(half.historicalSync).toBe('running');
      await expectExactly('one');
      await expectExactly('two');
      expect(workers.filter((worker) => worker.isRunning())).toHaveLength(2);
      expect((await pidsAtWork()).size, 'workers that took part').toBeGreaterThanOrEqual(2);
    },
    TIMEOUT_MS,
  );

  it('go on with one while Close refuses the key of the other', async () => {
    const [one, two] = handles as [WorkflowHandle, WorkflowHandle];
    const before = await statusOf(one);
    sandbox.setApiKey(KEYS.CLOSE_API_KEY_ONE);
    await two.signal(SIGNALS.syncNow);
    const blocked = await untilStatus(two, 'blocked', ({ status }) => status === 'Blocked');
    expect(blocked.problem).toContain('CLOSE_API_KEY_TWO');

    await one.signal(SIGNALS.syncNow);
    const after = await untilStatus(one, 'synced', isSettledSince(before));
    expect(after.problem).toBeNull();
    expect((await statusOf(two)).status).toBe('Blocked');

    sandbox.setApiKey(null);
    await two.signal(SIGNALS.resume);
    await untilStatus(two, 'freed', isSettled);
  });

  it('have the keys in no history, no table and no output', async () => {
    expect(await canarySightings(client, [database.pool], Object.values(KEYS))).toEqual([]);
  });
});
