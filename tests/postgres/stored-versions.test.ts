import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Instant } from '../../src/core/instant.js';
import { storedVersions } from '../../src/postgres/stored-versions.js';
import { ACTIVITIES, at, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
});
afterAll(() => warehouse.close());

function stored(versions: Readonly<Record<string, string>>): Promise<ReadonlySet<string>> {
  const wanted = new Map(Object.entries(versions) as [string, Instant][]);
  return storedVersions(warehouse.pool, warehouse.catalog, ACTIVITIES, wanted);
}

it('nothing is stored before there is a table', async () => {
  expect(await stored({ acti_1: at(1) })).toEqual(new Set());
});

it('tells the versions that are in the table, and no others of the same records', async () => {
  await warehouse.load(ACTIVITIES, [
    { id: 'acti_1', date_updated: at(1) },
    { id: 'acti_1', date_updated: at(2) },
    { id: 'acti_2', date_updated: at(1) },
  ]);
  expect(await stored({ acti_1: at(2), acti_2: at(2), acti_3: at(1) })).toEqual(
    new Set(['acti_1']),
  );
});

it('nothing is stored in a table that somebody dropped', async () => {
  await warehouse.pool.query(`DROP TABLE ${SCHEMA}.activities CASCADE`);
  expect(await stored({ acti_1: at(1) })).toEqual(new Set());
});
