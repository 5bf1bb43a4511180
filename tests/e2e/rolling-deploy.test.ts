import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SIGNALS } from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { ROOT } from '../architecture-facts.js';
import { bundleChanged } from '../support/changed-workflows.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import {
  closeActivities,
  doubledActivities,
  loadedActivitiesBefore,
} from '../support/e2e-older.js';
import { buildOnce, closehaul, endProcesses, startProcess } from '../support/e2e-process.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { temporaryHome } from '../support/tools.js';

const FROM = '2026-06-01';
const UNTIL = '2026-11-01';
/** What the next release does before it plans a sync, and this one does not. */
const PATCH = 'next-release';
const TIMEOUT_MS = 180_000;

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let release: string;

beforeAll(async () => {
  await buildOnce();
  release = temporaryHome();
  await makeNextRelease(release);
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ from: `${FROM}T00:00:00Z`, leads: 60, activities: 900 });
}, TIMEOUT_MS);

afterAll(async () => {
  await endProcesses();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
  rmSync(release, { recursive: true, force: true });
});

/** The built program with other workflow code, in a folder of its own. */
async function makeNextRelease(folder: string): Promise<void> {
  for (const part of ['bin', 'dist', 'sql', 'package.json']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const planning = '  const { slices } = await quick.beginRun(run);';
  const { code } = await bundleChanged([
    {
      file: 'sync.ts',
      find: planning,
      replace: `  if (patched('${PATCH}')) await condition(() => false, '10ms');\n${planning}`,
    },
    { file: 'sync.ts', find: '  log,\n', replace: '  log,\n  patched,\n' },
  ]);
  writeFileSync(join(folder, 'dist/workflow-bundle.js'), code);
}

/** How many incremental syncs each release has planned. */
async function syncsOf(handle: WorkflowHandle): Promise<{ present: number; next: number }> {
  const count = { present: 0, next: 0 };
  const query = `WorkflowId STARTS_WITH "${handle.workflowId}/incremental"`;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const isNext = events?.some(({ markerRecordedEventAttributes: marker }) => Boolean(marker));
    count[isNext === true ? 'next' : 'present'] += 1;
  }
  return count;
}

async function syncOnce(handle: WorkflowHandle): Promise<void> {
  const { syncsCompleted } = await untilStatus(handle, 'up to date', isSettled);
  await handle.signal(SIGNALS.syncNow);
  await untilStatus(handle, 'synced', (status) => status.syncsCompleted > syncsCompleted);
}

it(
  'workers of two releases share a connection, and the old ones can go at any time',
  async () => {
    const env = testEnv(database.url, sandbox.url);
    sandbox.setFaults(['slow=60']);
    const present = closehaul(['worker'], { env });
    const handle = await startConnection(client, { name: 'Rolling', startDate: FROM });
    await untilStatus(handle, 'rows are there', ({ streams }) => (streams[0]?.rows ?? 0) > 0);
    startProcess(process.execPath, [join(release, 'bin/closehaul.js'), 'worker'], { env });
    sandbox.setFaults([]);
    const together = await until('each release has planned a sync', async () => {
      await syncOnce(handle);
      const count = await syncsOf(handle);
      return count.present > 0 && count.next > 0 && count;
    });

    await handle.signal(SIGNALS.syncNow);
    present.signal('SIGTERM');
    expect((await present.finished).exitCode).toBe(0);
    for (let count = 0; count < 2; count += 1) await syncOnce(handle);

    expect((await syncsOf(handle)).next).toBeGreaterThan(together.next);
    expect(await loadedActivitiesBefore(database.pool, 'rolling', UNTIL)).toEqual(
      await closeActivities(sandbox.url, FROM, UNTIL),
    );
    expect(await doubledActivities(database.pool, 'rolling')).toEqual([]);
  },
  TIMEOUT_MS,
);
