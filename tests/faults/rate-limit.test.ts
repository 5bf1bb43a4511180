import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCloseClient, type CloseClient } from '../../src/close/client.js';
import type { ClosePath } from '../../src/close/request.js';
import type { Lane } from '../../src/core/ports.js';
import { migrate } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { createRateBudget } from '../../src/postgres/rate-budget.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { testDatabase, TEST_KEY, type TestDatabase } from '../support/stack.js';

const LIMIT = 20;
const LATENCY_MS = 100;
const WORKERS = 3;
const GROUPS: readonly ClosePath[] = ['/lead/', '/activity/'];

let database: TestDatabase;
let sandbox: Sandbox;
const pools: pg.Pool[] = [];
beforeAll(async () => {
  database = await testDatabase();
  await migrate(database.url);
  sandbox = await startSandbox({
    ...{ seed: 'limits', leads: 20, activities: 200, rateLimit: LIMIT, latencyMs: LATENCY_MS },
  });
  for (let worker = 0; worker < WORKERS; worker += 1) {
    pools.push(createPool({ url: database.url, sizeMax: 5, applicationName: `worker ${worker}` }));
  }
});
afterAll(async () => {
  await sandbox.stop();
  await Promise.all(pools.map((pool) => pool.end()));
  await database.close();
});

function clientOf(pool: pg.Pool, lane: Lane): CloseClient {
  return createCloseClient({
    ...{ connection: 'Limits', keyVariable: 'CLOSE_API_KEY', apiKey: TEST_KEY, version: 'test' },
    ...{ baseUrl: sandbox.url, budget: createRateBudget(pool, TEST_KEY), lane },
  });
}

interface Reader {
  readonly path: ClosePath;
  readonly lane: Lane;
  answers: number;
}

/** All read at once, each as fast as it may, until Close has answered so many for each path. */
async function readUntil(answersEach: number, readersEach: number): Promise<readonly Reader[]> {
  const readers: Reader[] = [];
  const answersTo = (path: ClosePath): number =>
    readers.filter((each) => each.path === path).reduce((sum, { answers }) => sum + answers, 0);
  const never = new AbortController().signal;
  const works = pools.flatMap((pool, worker) => {
    const lane: Lane = worker === 0 ? 'live' : 'history';
    const client = clientOf(pool, lane);
    return GROUPS.flatMap((path) =>
      Array.from({ length: readersEach }, async () => {
        const reader: Reader = { path, lane, answers: 0 };
        readers.push(reader);
        while (answersTo(path) < answersEach) {
          await client.get(path, { _limit: 5 }, never);
          reader.answers += 1;
        }
      }),
    );
  });
  await Promise.all(works);
  return readers;
}

it('F17: a storm of 429 ends, all go on, and no more is asked than is allowed', async () => {
  const startedMs = performance.now();
  const readers = await readUntil(60, 4);
  const seconds = (performance.now() - startedMs) / 1_000;
  const { byPath } = sandbox.stats();
  const asked = Object.values(byPath).reduce((sum, count) => sum + count, 0);
  // Each group has its own limit; a window that was begun counts whole.
  expect(asked).toBeLessThanOrEqual(1.05 * GROUPS.length * LIMIT * (seconds + 1));
  expect(readers.length).toBe(GROUPS.length * WORKERS * 4);
  expect(Math.min(...readers.map(({ answers }) => answers))).toBeGreaterThan(0);
});

it('once the limit is known, three workers at full speed are not refused', async () => {
  const before = sandbox.stats().rejectedByRateLimit;
  await readUntil(5 * LIMIT, 4);
  expect(sandbox.stats().rejectedByRateLimit - before).toBe(0);
});
