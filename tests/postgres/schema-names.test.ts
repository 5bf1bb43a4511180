import { afterAll, beforeAll, expect, it } from 'vitest';
import { schemaName } from '../../src/core/naming.js';
import type { TestDatabase } from '../support/stack.js';
import { at, LEADS, migratedDatabase, openSchema } from './warehouse.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await migratedDatabase();
});
afterAll(() => database.close());

/** PostgreSQL makes of each what was asked for, without a cut, and loads into it. */
it.each([
  ['Stitch Closeio', 'stitch_closeio'],
  ['Close.io (EU) – Sales', 'closeio_eu_sales'],
  ['Fünke & Söhne, Łódź', 'funke_sohne_lodz'],
  ['Straße Ørsted Đà', 'strasse_orsted_da'],
  ['株式会社 Close 🚀', 'close'],
  ['select', 'select'],
  ['1st', '1st'],
  ['x'.repeat(63), 'x'.repeat(63)],
  [`${'ß'.repeat(30)} ss`, `${'ss'.repeat(30)}_ss`],
])('makes the schema of %j', async (name, schema) => {
  const made = schemaName(name);
  expect(made).toEqual({ schema });
  const warehouse = await openSchema(database, 'stitch', made.schema);
  await warehouse.load(LEADS, [{ id: 'lead_1', date_updated: at(1), tags: ['a'] }]);

  const found = await warehouse.rows(
    'SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 2',
    [schema],
  );
  expect(found.map(({ table_name: table }) => table)).toEqual([
    '_sdc_rejected',
    'leads',
    'leads__tags',
  ]);
});
