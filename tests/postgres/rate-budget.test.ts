import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MINUTE_MS, toMillis, type Instant } from '../../src/core/instant.js';
import type { Lane, RateBudget } from '../../src/core/ports.js';
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

async function waitOf(budget: RateBudget, group = 'lead', lane: Lane = 'live'): Promise<number> {
  return (await budget.take(group, lane)).waitMs;
}

async function grants(
  workers: readonly RateBudget[],
  tries: number,
  lane: Lane = 'live',
): Promise<number> {
  const waits = await Promise.all(
    Array.from({ length: tries }, (_, n) =>
      waitOf(workers[n % workers.length] as RateBudget, 'lead', lane),
    ),
  );
  return waits.filter((wait) => wait === 0).length;
}

/** As if so much time had passed since the permits of the last key were used; of some, or of all. */
async function rest(hours: number, where = 'true'): Promise<void> {
  await database.pool.query(
    `UPDATE closehaul.rate_permits SET used_at = used_at - make_interval(hours => ${hours})
      WHERE ${where}`,
  );
}

describe('the budget of a key', () => {
  it('lets one of all workers send before anything is known, and the others ask again soon', async () => {
    const workers = budgets();
    const turns = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (workers[n % 4] as RateBudget).take('lead', 'live')),
    );
    const [first, ...more] = turns.filter(({ waitMs }) => waitMs === 0);
    expect(more).toEqual([]);
    expect(first?.permit).not.toBeNull();
    for (const { waitMs } of turns) expect(waitMs).toBeLessThan(200);
    const limit = { limit: 20, remaining: 19, resetMs: HOUR_MS };
    await workers[0].learn('lead', limit, first?.permit ?? null, 0);
    expect(await grants(workers, 40)).toBe(19);
  });

  it('lets everybody send once the first answer told of no limit, and another one when none came', async () => {
    const workers = budgets();
    const { permit } = await workers[0].take('lead', 'live');
    expect(await grants(workers, 20)).toBe(0);
    await workers[0].learn('lead', undefined, permit, 0);
    expect(await grants(workers, 20)).toBe(20);

    const others = budgets();
    expect(await grants(others, 20)).toBe(1);
    await database.pool.query(
      "UPDATE closehaul.rate_groups SET first_until = now() - interval '1 ms'",
    );
    expect(await grants(others, 20)).toBe(1);
  });

  it('gives no more than is left in the window, to four workers at once', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 60, remaining: 37, resetMs: HOUR_MS }, null, 0);
    expect(await grants(workers, 400)).toBe(37);
  });

  it('says how long the window lasts when there is none to take', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 60, remaining: 0, resetMs: HOUR_MS }, null, 0);
    const waitMs = await waitOf(worker, 'lead');
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(HOUR_MS);
  });

  it('begins a new window of the same limit when the old one is over', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 25, remaining: 0, resetMs: HOUR_MS }, null, 0);
    await rest(2);
    expect(await grants(workers, 200)).toBe(25);
  });

  it('counts each group of endpoints and each key by itself', async () => {
    const [worker] = budgets();
    const [other] = budgets();
    await worker.learn('lead', { limit: 5, remaining: 0, resetMs: HOUR_MS }, null, 0);
    expect(await waitOf(worker, 'lead')).toBeGreaterThan(0);
    expect(await waitOf(worker, 'activity')).toBe(0);
    expect(await waitOf(other, 'lead')).toBe(0);
  });

  it('believes the lowest of several answers that come out of order', async () => {
    const workers = budgets();
    for (const remaining of [9, 3, 7]) {
      await workers[1].learn('lead', { limit: 10, remaining, resetMs: HOUR_MS }, null, 0);
    }
    expect(await grants(workers, 40)).toBe(3);
    // An answer to a request of long before says that there are more left; there are not.
    await workers[2].learn('lead', { limit: 10, remaining: 8, resetMs: HOUR_MS }, null, 0);
    expect(await grants(workers, 40)).toBe(0);
  });

  it('takes over a limit that Close changed', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 100, remaining: 90, resetMs: HOUR_MS }, null, 0);
    await workers[1].learn('lead', { limit: 10, remaining: 4, resetMs: HOUR_MS }, null, 0);
    expect(await grants(workers, 40)).toBe(4);
  });

  it('is blocked for all workers by one refusal, in one group, and a shorter one shortens nothing', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 60, remaining: 50, resetMs: HOUR_MS }, null, 0);
    await workers[3].block('lead', HOUR_MS);
    await workers[2].block('lead', 5);
    expect(await grants(workers, 40)).toBe(0);
    expect(await waitOf(workers[1], 'lead')).toBeGreaterThan(HOUR_MS / 2);
    expect(await waitOf(workers[1], 'activity')).toBe(0);
    // What was left is not used up by those who were told to wait.
    await database.pool.query("UPDATE closehaul.rate_groups SET blocked_until = '-infinity'");
    expect(await grants(workers, 200)).toBe(50);
  });

  it('can be blocked before anything else is known of it', async () => {
    const workers = budgets();
    await workers[0].block('lead', HOUR_MS);
    expect(await grants(workers, 8)).toBe(0);
  });

  it('in no span of a window gives more than the limit, wherever the span begins', async () => {
    const workers = budgets();
    const [limit, windowMs] = [20, 150];
    await workers[0].learn('lead', { limit, remaining: limit - 1, resetMs: windowMs }, null, 0);
    const used: Instant[] = [];
    const works = [...workers, ...workers].map(async (worker) => {
      while (used.length < 10 * limit) {
        const { waitMs, permit } = await worker.take('lead', 'history');
        if (permit !== null) used.push(permit.usedAt as Instant);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        await worker.learn('lead', undefined, permit, 0);
      }
    });
    await Promise.all(works);
    const times = used.toSorted().map((at) => toMillis(at) + Number(at.slice(23, 26)) / 1_000);
    const spans = times.slice(limit).map((at, index) => at - (times[index] ?? 0));
    expect(Math.min(...spans)).toBeGreaterThanOrEqual(windowMs);
  });

  it('an answer to one of many that are under way takes nothing from the others', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 20, remaining: 20, resetMs: HOUR_MS }, null, 0);
    const turns = [];
    for (let time = 0; time < 5; time += 1) turns.push(await worker.take('lead', 'live'));
    for (const [index, { permit }] of turns.entries()) {
      await worker.learn('lead', { limit: 20, remaining: 19 - index, resetMs: HOUR_MS }, permit, 0);
    }
    expect(await grants([worker], 40)).toBe(15);
  });

  it('leaves what another program uses with the same key', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 20, remaining: 20, resetMs: HOUR_MS }, null, 0);
    const { permit } = await worker.take('lead', 'live');
    await worker.learn('lead', { limit: 20, remaining: 6, resetMs: HOUR_MS }, permit, 0);
    expect(await grants([worker], 40)).toBe(6);
  });

  it('believes a larger limit only when more than the smaller one remains of it', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 20, remaining: 20, resetMs: HOUR_MS }, null, 0);
    // The organization's own limit is nearer just now.
    await worker.learn('lead', { limit: 60, remaining: 12, resetMs: HOUR_MS }, null, 0);
    expect(await grants([worker], 80)).toBe(12);
    await rest(2);
    await worker.learn('lead', { limit: 60, remaining: 50, resetMs: HOUR_MS }, null, 0);
    expect(await grants([worker], 80)).toBe(50);
  });

  it('counts a request from when it came to Close at the latest', async () => {
    const [worker] = budgets();
    const limit = { limit: 1, remaining: 0, resetMs: HOUR_MS };
    await worker.learn('lead', { ...limit, remaining: 1 }, null, 0);
    const { permit } = await worker.take('lead', 'live');
    const { rows } = await database.pool.query<{ sentAt: string }>(
      `UPDATE closehaul.rate_permits SET used_at = used_at - interval '10 minutes'
        WHERE used_at > now() RETURNING $1::timestamptz - interval '10 minutes' AS "sentAt"`,
      [permit?.usedAt],
    );
    const usedAt = rows[0]?.sentAt ?? '';
    await database.pool.query('UPDATE closehaul.rate_groups SET round_trip_ms = 60000');
    // The answer took ten minutes where one is enough, so the request was nine minutes late.
    await worker.learn('lead', limit, { number: 1, usedAt }, MINUTE_MS);
    const leftMs = await waitOf(worker);
    expect(Math.round(leftMs / MINUTE_MS)).toBe(59);
  });

  it.each([
    ['with an answer that tells of no limit', undefined],
    ['with one that does', { limit: 1, remaining: 0, resetMs: 1 }],
  ])('uses no permit again before its request is answered, %s', async (_name, told) => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 1, remaining: 1, resetMs: 1 }, null, 0);
    const { permit } = await worker.take('lead', 'live');
    // Windows have passed, the answer has not come; after a kill it never would.
    const leftMs = await waitOf(worker);
    expect([leftMs > 4_000, leftMs <= 5_000]).toEqual([true, true]);
    await worker.learn('lead', told, permit, 0);
    expect(await waitOf(worker)).toBeLessThan(100);
  });

  it('grants a part of a very large limit in the same part of its window', async () => {
    const [worker] = budgets();
    await worker.learn('lead', { limit: 1e15, remaining: 1e15, resetMs: HOUR_MS }, null, 0);
    const { rows } = await database.pool.query<{ count: number }>(
      'SELECT count(*)::int FROM closehaul.rate_permits GROUP BY budget ORDER BY 1 DESC LIMIT 1',
    );
    expect(rows).toEqual([{ count: 1_000 }]);
  });

  it('holds no key', async () => {
    budgets();
    const { rows } = await database.pool.query('SELECT * FROM closehaul.rate_groups');
    expect(JSON.stringify(rows)).not.toContain('canary');
  });
});

describe('the two lanes of a budget', () => {
  const LIMIT = { limit: 8, remaining: 8, resetMs: HOUR_MS };

  it('a live request is let in before history, which used up everything and asks again and again', async () => {
    const workers = budgets();
    await workers[0].learn('lead', LIMIT, null, 0);
    expect(await grants(workers, 20, 'history')).toBe(8);
    expect(await grants(workers, 1, 'live')).toBe(0);
    await rest(2, 'permit > 2');
    expect(await grants(workers, 20, 'history')).toBe(0);
    expect(await grants(workers, 1, 'live')).toBe(1);
  });

  it('history keeps a quarter, so that a busy live lane does not starve it', async () => {
    const workers = budgets();
    await workers[0].learn('lead', LIMIT, null, 0);
    expect(await grants(workers, 20, 'live')).toBe(8);
    expect(await grants(workers, 1, 'history')).toBe(0);
    await rest(2);
    expect(await grants(workers, 20, 'live')).toBe(6);
    expect(await grants(workers, 20, 'history')).toBe(2);
  });

  it.each(['live', 'history'] as const)('%s alone has everything', async (lane) => {
    const workers = budgets();
    await workers[0].learn('lead', LIMIT, null, 0);
    expect(await grants(workers, 20, lane)).toBe(8);
    expect(await grants(workers, 20, lane)).toBe(0);
    await rest(2);
    expect(await grants(workers, 20, lane)).toBe(8);
  });

  it('a limit of one request is shared', async () => {
    const workers = budgets();
    await workers[0].learn('lead', { limit: 1, remaining: 1, resetMs: HOUR_MS }, null, 0);
    expect(await grants(workers, 4, 'live')).toBe(1);
    expect(await grants(workers, 4, 'history')).toBe(0);
    await rest(2);
    expect(await grants(workers, 4, 'history')).toBe(1);
  });
});
