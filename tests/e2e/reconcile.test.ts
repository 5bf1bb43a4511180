import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SIGNALS, type ReconcileStatus } from '../../src/contract.js';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import {
  cancelConnection,
  isSettled,
  startConnection,
  untilStatus,
} from '../support/e2e-connection.js';
import { buildOnce, closehaul, endProcesses } from '../support/e2e-process.js';
import { differences, readWarehouse } from '../support/e2e-warehouse.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  until,
  type TestDatabase,
} from '../support/stack.js';

let client: Client;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  ends.push(() => client.connection.close());
});

afterAll(async () => {
  await endProcesses();
  for (const end of ends.reverse()) await end();
});

async function account(
  size: SandboxOptions,
): Promise<{ readonly database: TestDatabase; readonly sandbox: Sandbox }> {
  const sandbox = await testSandbox({ ...size, from: '2026-08-01T00:00:00Z' });
  ends.push(() => sandbox.stop());
  const database = await testDatabase();
  ends.push(() => database.close());
  return { database, sandbox };
}

it('the command mends what differs, shows it, and exits 3 as long as something still does', async () => {
  const { database, sandbox } = await account({ leads: 40, activities: 300 });
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
  await cancelConnection(client, handle);
  worker.signal('SIGTERM');
  await worker.finished;
}, 240_000);

/** What is missing, outdated, vanished and left, by stream. */
type Found = Record<string, readonly [number, number, number, number]>;

/** Does to the tables what nobody told of. */
async function damage({ pool }: TestDatabase): Promise<Found> {
  const change = async (text: string): Promise<number> => (await pool.query(text)).rowCount ?? 0;
  /** From the stream's own table last, since that says which. */
  const remove = async (stream: string, which: string): Promise<number> => {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT table_name AS name FROM closehaul.warehouse_tables
        WHERE stream = $1 ORDER BY levels DESC`,
      [stream],
    );
    let removed = 0;
    for (const { name } of rows) {
      removed = await change(`DELETE FROM killed."${name}" WHERE ${which}`);
    }
    return removed;
  };
  const some = (table: string, every: number): string =>
    `id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM killed.${table}) numbered
             WHERE place % ${every} = 0)`;
  const leads = await remove('leads', some('leads', 3));
  const activities = await remove('activities', some('activities', 5));
  const deals = await change(
    `UPDATE killed.opportunities SET confidence = -1, date_updated = '2020-01-01',
            _sdc_record_hash = gen_random_uuid() WHERE ${some('opportunities', 4)}`,
  );
  const users = await change(
    `INSERT INTO killed.users (id, _sdc_received_at, _sdc_record_hash)
     VALUES ('user_gone', '2026-01-01', gen_random_uuid())`,
  );
  return {
    ...{ leads: [leads, 0, 0, 0], activities: [activities, 0, 0, 0] },
    ...{ opportunities: [0, deals, 0, 0], users: [0, 0, users, 0] },
  };
}

/** Where each stream of a reconciliation stands: in its census, or settling what differs. */
async function stagesOf({ pool }: TestDatabase): Promise<readonly string[]> {
  const { rows } = await pool.query<{ stage: string }>(
    `SELECT position->>'strategy' AS stage FROM closehaul.checkpoints
      WHERE job LIKE 'reconcile/%' AND pages > 0 AND NOT is_done`,
  );
  return rows.map(({ stage }) => stage);
}

it('a worker that is killed in the middle of it: the next one goes on, finds the same and mends it', async () => {
  const { database, sandbox } = await account({ leads: 400, activities: 2_000 });
  const env = testEnv(database.url, sandbox.url);
  const first = closehaul(['worker'], { env });
  const handle = await startConnection(client, {
    ...{ name: 'Killed', startDate: '2026-08-01', every: '1d' },
    streams: ['leads', 'activities', 'opportunities', 'users'],
  });
  await untilStatus(handle, 'up to date', isSettled);
  const before = await readWarehouse(database.pool, 'killed');
  const done = await damage(database);

  // So slow that all streams are under way at once, and that there is a middle.
  sandbox.setFaults(['slow=250']);
  await handle.signal(SIGNALS.reconcile, { id: 'whole' });
  const stages = await until('one stream is counted and another is not', async () => {
    const now = await stagesOf(database);
    return now.includes('settle') && now.includes('census') && now;
  });
  await first.kill();
  sandbox.setFaults([]);
  const second = closehaul(['worker'], { env });
  const { reconcile } = await untilStatus(
    handle,
    'the reconciliation has ended',
    (status) => ['done', 'incomplete'].includes(status.reconcile?.status ?? ''),
    120_000,
  );

  expect(stages).toEqual(expect.arrayContaining(['settle', 'census']));
  const found = Object.fromEntries(
    (reconcile?.streams ?? []).map(({ stream, missing, outdated, vanished, unresolved }) => [
      stream,
      [missing, outdated, vanished, unresolved],
    ]),
  );
  expect([reconcile?.status, found]).toEqual(['done', done]);
  const { rowCount } = await database.pool.query(
    `DELETE FROM killed.users WHERE id = 'user_gone' AND _sdc_deleted_at IS NOT NULL`,
  );
  expect(rowCount).toBe(1);
  expect(differences(before, await readWarehouse(database.pool, 'killed'))).toEqual([]);
  await cancelConnection(client, handle);
  second.signal('SIGTERM');
  expect((await second.finished).exitCode).toBe(0);
}, 240_000);
