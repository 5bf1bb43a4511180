import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReconcileStatus } from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import { buildOnce, closehaul, endProcesses } from '../support/e2e-process.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  type TestDatabase,
} from '../support/stack.js';

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 40, activities: 300, from: '2026-08-01T00:00:00Z' });
});

afterAll(async () => {
  await endProcesses();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

it('the command mends what differs, shows it, and exits 3 as long as something still does', async () => {
  const env = testEnv(database.url, sandbox.url);
  const worker = closehaul(['worker'], { env });
  const connection = { name: 'Compare', startDate: '2026-08-01', every: '1d' };
  const handle = await startConnection(client, { ...connection, streams: ['leads', 'tasks'] });
  await untilStatus(handle, 'up to date', isSettled);
  const run = (...more: string[]) => closehaul(['reconcile', 'Compare', ...more], { env }).finished;

  await database.pool.query(
    `DELETE FROM compare.leads WHERE id = (SELECT min(id) FROM compare.leads)`,
  );
  const mended = await run('--json');
  expect([mended.stderr, mended.exitCode]).toEqual(['', 0]);
  const { status, streams } = JSON.parse(mended.stdout) as ReconcileStatus;
  expect([status, streams.map(({ stream, missing }) => [stream, missing])]).toEqual([
    'done',
    [
      ['leads', 1],
      ['tasks', 0],
    ],
  ]);

  const refused = await database.pool.query<{ id: string }>(
    'DELETE FROM compare.leads WHERE id = (SELECT min(id) FROM compare.leads) RETURNING id',
  );
  await database.pool.query(
    `ALTER TABLE compare.leads ADD CONSTRAINT refuses CHECK (id <> '${refused.rows[0]?.id}')`,
  );
  const left = await run();
  expect(left.exitCode).toBe(3);
  expect(left.stdout).toContain('still differ');
  worker.signal('SIGTERM');
  await worker.finished;
}, 240_000);
