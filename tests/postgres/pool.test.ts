import { afterEach, beforeEach, expect, it } from 'vitest';
import type pg from 'pg';
import { createPool, query } from '../../src/postgres/pool.js';
import { testDatabase, type TestDatabase } from '../support/stack.js';

let database: TestDatabase;
let pool: pg.Pool;

beforeEach(async () => {
  database = await testDatabase();
  pool = createPool({ url: database.url, sizeMax: 1, applicationName: 'closehaul test' });
});

afterEach(async () => {
  await pool.end();
  await database.close();
});

function answer(number: number): Promise<{ number: number }[]> {
  return query(pool, 'SELECT $1::int AS number', [number], 'the answer');
}

async function preparedCount(): Promise<number> {
  return (await query(pool, `SELECT name FROM pg_prepared_statements`)).length;
}

it('a statement with a name is planned once', async () => {
  expect([await answer(1), await answer(2)]).toEqual([[{ number: 1 }], [{ number: 2 }]]);
  expect(await preparedCount()).toBe(1);
});

// As behind PgBouncer, which gives each transaction another connection.
it.each([
  ['is not there any more', 'DEALLOCATE ALL'],
  ['is there already', 'DEALLOCATE ALL; PREPARE "the answer" AS SELECT 0'],
])('is asked for without its name once that %s', async (_what, sabotage) => {
  if (!sabotage.includes('PREPARE')) await answer(1);
  await query(pool, sabotage);
  expect([await answer(2), await answer(3)]).toEqual([[{ number: 2 }], [{ number: 3 }]]);
  // A connection that a query failed on is given up, so what was prepared by hand is gone, too.
  expect(await preparedCount()).toBe(0);
});
