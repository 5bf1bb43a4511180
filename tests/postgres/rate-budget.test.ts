import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RateBudget } from '../../src/core/ports.js';
import { migrate } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { createRateBudget } from '../../src/postgres/rate-budget.js';
import { testDatabase, type TestDatabase } from '../support/stack.js';

let database: TestDatabase;
/** Four workers, each with a pool of its own. */
let pools: ReturnType<typeof createPool>[];
beforeAll(async () => {
  database = await testDatabase();
  await migrate(database.url);
  pools = [1, 2, 3, 4].map((n) =>
    createPool({ url: database.url, sizeMax: 5, applicationName: `worker ${n}` }),
  );
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await database.close();
});

let keyCount = 0;

/** The budget of a new key, as each of the four workers has it. */
function budgets(): [RateBudget, RateBudget, RateBudget, RateBudget] {
  keyCount += 1;
  const all = pools.map((pool) => createRateBudget(pool, `api_canary_${keyCount}`));
  return all as [RateBudget, RateBudget, RateBudget, RateBudget];
}

const HOUR_MS = 3_600_000;

async function grants(workers: readonly RateBudget[], tries: number): Promise<number> {
  const waits = await Promise.all(
    Array.from({ length: tries }, (_, n) =>
      (workers[n % workers.length] as RateBudget).take('lead'),
    ),
  );
  return waits.filter((wait) => wait === 0).length;
}

describe('the budget of a key', () => {
  it('lets everybody send before anything is known', async () => {
    expect(await grants(budgets(), 20)).toBe(20);
  });

  it('gives no more than is left in the window, to four workers at once', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 60, remaining: 37, resetMs: HOUR_MS });
    expect(await grants(workers, 400)).toBe(37);
  });

  it('says how long the window lasts when there is none to take', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 60, remaining: 0, resetMs: HOUR_MS });
    const waitMs = await worker.take('lead');
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(HOUR_MS);
  });

  it('begins a new window of the same limit when the old one is over', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 25, remaining: 0, resetMs: HOUR_MS });
    await database.pool.query(
      "UPDATE closehaul.rate_budgets SET resets_at = now() - interval '1 second' WHERE remaining = 0",
    );
    expect(await grants(workers, 200)).toBe(25);
  });

  it('counts each group of endpoints and each key by itself', async () => {
    const [worker] = budgets();
    const [other] = budgets();
    await worker.learn('lead', { limit: 5, remaining: 0, resetMs: HOUR_MS });
    expect(await worker.take('lead')).toBeGreaterThan(0);
    expect(await worker.take('activity')).toBe(0);
    expect(await other.take('lead')).toBe(0);
  });

  it('believes the lowest of several answers that come out of order', async () => {
    const workers = budgets();
    for (const remaining of [9, 3, 7]) {
      await workers[1].learn('lead', { limit: 10, remaining, resetMs: HOUR_MS });
    }
    expect(await grants(workers, 40)).toBe(3);
    // An answer to a request of long before says that there are more left; there are not.
    await workers[2].learn('lead', { limit: 10, remaining: 8, resetMs: HOUR_MS });
    expect(await grants(workers, 40)).toBe(0);
  });

  it('takes over a limit that Close changed', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 100, remaining: 90, resetMs: HOUR_MS });
    await workers[1].learn('lead', { limit: 10, remaining: 4, resetMs: HOUR_MS });
    expect(await grants(workers, 40)).toBe(4);
  });

  it('is blocked for all workers by one refusal, in one group, and a shorter one shortens nothing', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 60, remaining: 50, resetMs: HOUR_MS });
    await workers[3].block('lead', HOUR_MS);
    await workers[2].block('lead', 5);
    expect(await grants(workers, 40)).toBe(0);
    expect(await workers[1].take('lead')).toBeGreaterThan(HOUR_MS / 2);
    expect(await workers[1].take('activity')).toBe(0);
    // What was left is not used up by those who were told to wait.
    await database.pool.query("UPDATE closehaul.rate_budgets SET blocked_until = '-infinity'");
    expect(await grants(workers, 200)).toBe(50);
  });

  it('can be blocked before anything else is known of it', async () => {
    const workers = budgets();
    await workers[0].block('lead', HOUR_MS);
    expect(await grants(workers, 8)).toBe(0);
  });

  it('holds no key', async () => {
    budgets();
    const { rows } = await database.pool.query('SELECT * FROM closehaul.rate_budgets');
    expect(JSON.stringify(rows)).not.toContain('canary');
  });
});
