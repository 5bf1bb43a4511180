import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTemporal } from '../../src/local/temporal-server.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { canarySightings } from '../support/e2e-canary.js';
import {
  cancelConnection,
  isSettled,
  startConnection,
  untilStatus,
} from '../support/e2e-connection.js';
import { buildOnce, closehaul, endProcesses, type TestProcess } from '../support/e2e-process.js';
import { differences, readWarehouse, type Warehouse } from '../support/e2e-warehouse.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { removeHome, temporalCliPath, temporaryHome } from '../support/tools.js';

/** So rare that each run has one incremental sync, the one after its historical sync. */
const CONNECTION = { name: 'Resume', startDate: '2026-07-15', every: '1d' };
const SCHEMA = 'resume';
/** Parts of the historical sync's pages after which something is killed. */
const KILL_AFTER = [0.15, 0.45, 0.75];
/**
 * Of two slices: one page is loaded, one made ready, and the next two come. An activity that lost its
 * server throws them away.
 */
const PAGES_IN_HAND_MAX = 2 * 4;
/**
 * A machine so busy that the sandbox looks slow makes a worker ask for six pages at once, of which the
 * last ones may lie behind a window's end.
 */
const ASKED_IN_VAIN_MAX = 5;
/** A dead worker's activity is given to the next one after the heartbeat timeout of 30 s, three times. */
const TIMEOUT_MS = 240_000;

interface Run {
  readonly sandbox: Sandbox;
  readonly database: TestDatabase;
  readonly env: NodeJS.ProcessEnv;
}

const ends: (() => Promise<unknown>)[] = [];
let client: Client;
let reference: Warehouse;
let referenceRequests: number;
let historicalPages: number;

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  ends.push(() => client.connection.close());
  const run = await prepareRun();
  const worker = closehaul(['worker'], { env: run.env });
  const handle = await startConnection(client, CONNECTION);
  await untilStatus(handle, 'the undisturbed run is up to date', isSettled);
  reference = await readWarehouse(run.database.pool, SCHEMA);
  referenceRequests = listRequests(run.sandbox);
  historicalPages = await storedPages(run.database);
  await cancelConnection(client, handle);
  worker.signal('SIGTERM');
  expect((await worker.finished).exitCode).toBe(0);
}, TIMEOUT_MS);

afterAll(async () => {
  await endProcesses();
  for (const end of ends.reverse()) await end();
});

/**
 * The same account each time, in a database of its own; answers a little late, as the network does.
 * All of it lies in few months, so that a slice has many pages and a kill lands inside one.
 */
async function prepareRun(): Promise<Run> {
  const sandbox = await testSandbox({
    ...{ leads: 300, activities: 4_000, latencyMs: 5 },
    from: '2026-08-01T00:00:00Z',
  });
  ends.push(() => sandbox.stop());
  const database = await testDatabase();
  ends.push(() => database.close());
  return { sandbox, database, env: testEnv(database.url, sandbox.url) };
}

/** Pages of leads and activities that Close was asked for, those that a kill threw away included. */
function listRequests(sandbox: Sandbox): number {
  return Object.entries(sandbox.stats().byPath)
    .filter(([path]) => /^GET \/(lead|activity|activity\/emailthread)\/$/.test(path))
    .reduce((sum, [, count]) => sum + count, 0);
}

/** The same pages, as far as they were committed: in checkpoints, after the sync in its account. */
async function storedPages({ pool }: TestDatabase): Promise<number> {
  const { rows } = await pool.query<{ pages: number }>(
    `SELECT coalesce(sum(pages), 0)::int AS pages
       FROM (SELECT stream, pages FROM closehaul.checkpoints WHERE job = 'initial'
              UNION ALL
             SELECT stream, pages FROM closehaul.run_streams JOIN closehaul.runs USING (run)
              WHERE kind = 'initial') stored
      WHERE stream IN ('leads', 'activities')`,
  );
  return rows[0]?.pages ?? 0;
}

function untilStored(run: Run, pages: number): Promise<number> {
  return until(
    `${pages} pages are stored`,
    async () => {
      // The tables are made by the worker, so the first looks may come before them.
      const stored = await storedPages(run.database).catch(() => 0);
      return stored >= pages && stored;
    },
    TIMEOUT_MS,
  );
}

describe('after a kill in the middle of the historical sync', () => {
  it.concurrent(
    'the tables equal those of an undisturbed run when the worker was killed three times',
    async ({ expect }) => {
      const run = await prepareRun();
      let worker: TestProcess = closehaul(['worker'], { env: run.env });
      const handle = await startConnection(client, CONNECTION);
      const killedAt: number[] = [];
      let pagesLost = 0;
      for (const part of KILL_AFTER) {
        await untilStored(run, Math.ceil(historicalPages * part));
        await worker.kill();
        const stored = await storedPages(run.database);
        killedAt.push(stored);
        pagesLost = listRequests(run.sandbox) - stored;
        worker = closehaul(['worker'], { env: run.env });
      }
      await untilStatus(handle, 'the killed run is up to date', isSettled, TIMEOUT_MS);

      expect(killedAt.filter((pages) => pages > 0 && pages < historicalPages)).toHaveLength(3);
      expect(new Set(killedAt).size, 'each kill came after new pages').toBe(3);
      expect(differences(reference, await readWarehouse(run.database.pool, SCHEMA))).toEqual([]);
      // What was fetched and not committed is fetched again, and no page that was committed.
      const inVain = ASKED_IN_VAIN_MAX * (KILL_AFTER.length + 1);
      expect(listRequests(run.sandbox)).toBeLessThanOrEqual(referenceRequests + pagesLost + inVain);
      expect(await canarySightings(client, [run.database.pool])).toEqual([]);
      await cancelConnection(client, handle);
    },
    TIMEOUT_MS,
  );

  it.concurrent(
    'the tables equal those of an undisturbed run when the Temporal server was killed',
    async ({ expect }) => {
      const run = await prepareRun();
      const options = { home: { path: temporaryHome() }, cliPath: await temporalCliPath() };
      ends.push(() => Promise.resolve(removeHome(options.home.path)));
      const first = await startTemporal(options);
      ends.push(() => first.stop());
      const env = {
        ...run.env,
        TEMPORAL_ADDRESS: first.address,
        TEMPORAL_NAMESPACE: first.namespace,
      };
      const worker = closehaul(['worker'], { env });
      const connection = await Connection.connect({ address: first.address });
      ends.push(() => connection.close());
      const ownClient = new Client({ connection });
      const handle = await startConnection(ownClient, CONNECTION);

      await untilStored(run, Math.ceil(historicalPages * 0.4));
      process.kill(first.pid, 'SIGKILL');
      const storedAtKill = await storedPages(run.database);
      const second = await startTemporal(options);
      ends.push(() => second.stop());
      expect(second.address).toBe(first.address);
      await untilStatus(handle, 'up to date after the server is back', isSettled, TIMEOUT_MS);

      expect(storedAtKill).toBeLessThan(historicalPages);
      expect(worker.isRunning(), 'the worker outlives the server').toBe(true);
      expect(differences(reference, await readWarehouse(run.database.pool, SCHEMA))).toEqual([]);
      expect(listRequests(run.sandbox)).toBeLessThanOrEqual(
        referenceRequests + PAGES_IN_HAND_MAX + ASKED_IN_VAIN_MAX,
      );
      expect(await canarySightings(ownClient, [run.database.pool])).toEqual([]);
      worker.signal('SIGTERM');
      expect((await worker.finished).exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});
