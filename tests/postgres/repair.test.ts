import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonRecord } from '../../src/core/record.js';
import {
  ACTIVITIES,
  at,
  counts,
  LEADS,
  openWarehouse,
  SCHEMA,
  type Warehouse,
} from './warehouse.js';

let warehouse: Warehouse;
beforeEach(async () => {
  warehouse = await openWarehouse();
  await warehouse.load(LEADS, [lead('lead_1', 1), lead('lead_2', 1)]);
  await warehouse.load(ACTIVITIES, [activity('acti_1', 1)]);
});
afterEach(() => warehouse.close());

function lead(id: string, second: number, fields: JsonRecord = {}): JsonRecord {
  const contacts = [{ name: `${id} A`, emails: ['a'] }];
  return { id, date_updated: at(second), name: id, contacts, ...fields };
}

function activity(id: string, second: number, fields: JsonRecord = {}): JsonRecord {
  return { id, date_updated: at(second), subject: id, to: ['x', 'y'], ...fields };
}

async function everything(): Promise<unknown> {
  return [
    await warehouse.table('leads', 'id, name'),
    await warehouse.table('leads__contacts', 'id, items__name'),
    await warehouse.table('leads__contacts__emails', 'id, value'),
  ];
}

describe('what somebody dropped by hand is made again, and its rows come when they are read again', () => {
  it.each([
    ['a column', `ALTER TABLE ${SCHEMA}.leads DROP COLUMN name`],
    ['a system column', `ALTER TABLE ${SCHEMA}.leads DROP COLUMN _sdc_batched_at`],
    ['the hash', `ALTER TABLE ${SCHEMA}.leads DROP COLUMN _sdc_record_hash`],
    ['a column of a subtable', `ALTER TABLE ${SCHEMA}.leads__contacts DROP COLUMN items__name`],
    ['a subtable', `DROP TABLE ${SCHEMA}.leads__contacts`],
    ['the table', `DROP TABLE ${SCHEMA}.leads`],
    ['the schema', `DROP SCHEMA ${SCHEMA} CASCADE`],
  ])('%s', async (_, drop) => {
    const before = await everything();
    await warehouse.rows(drop);
    // A change, so that every table is written and what is missing is met.
    await warehouse.load(LEADS, [lead('lead_3', 1)]);
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 1), lead('lead_2', 1)]);
    expect(loaded).toMatchObject({ fetched: 2, unchanged: 0, stale: 0, rejected: 0 });
    await warehouse.rows(`DELETE FROM ${SCHEMA}.leads WHERE id = 'lead_3'`);
    for (const table of ['leads__contacts', 'leads__contacts__emails']) {
      await warehouse.rows(`DELETE FROM ${SCHEMA}.${table} WHERE id = 'lead_3'`);
    }
    expect(await everything()).toEqual(before);
    expect(await warehouse.load(LEADS, [lead('lead_1', 1)])).toEqual(
      counts({ fetched: 1, unchanged: 1 }),
    );
  });

  it('a table, in the very page that brings a new field for it', async () => {
    await warehouse.rows(`DROP TABLE ${SCHEMA}.leads`);
    await warehouse.load(LEADS, [lead('lead_1', 2, { brand_new: 'x' })]);
    expect(await warehouse.table('leads', 'id, brand_new')).toEqual([
      { id: 'lead_1', brand_new: 'x' },
    ]);
  });

  it('the table of rejects', async () => {
    await warehouse.rows(`DROP TABLE ${SCHEMA}._sdc_rejected`);
    const loaded = await warehouse.load(LEADS, [{ no: 'key' }]);
    expect(loaded.rejected).toBe(1);
    expect(await warehouse.rows(`SELECT reason FROM ${SCHEMA}._sdc_rejected`)).toHaveLength(1);
  });

  it.each([
    ['the append-only table and its views', `DROP TABLE ${SCHEMA}.activities CASCADE`],
    ['a column that views show', `ALTER TABLE ${SCHEMA}.activities DROP COLUMN subject CASCADE`],
    ['its subtable', `DROP TABLE ${SCHEMA}.activities__to CASCADE`],
  ])('%s', async (_, drop) => {
    await warehouse.rows(drop);
    await warehouse.load(ACTIVITIES, [activity('acti_2', 1)]);
    const text = `SELECT c.subject, t.value FROM ${SCHEMA}.activities_current c
                    JOIN ${SCHEMA}.activities__to_current t USING (id) WHERE id = 'acti_2' ORDER BY 2`;
    expect(await warehouse.rows(text)).toEqual([
      { subject: 'acti_2', value: 'x' },
      { subject: 'acti_2', value: 'y' },
    ]);
  });

  it('a view, when the next field comes', async () => {
    await warehouse.rows(`DROP VIEW ${SCHEMA}.activities_current CASCADE`);
    await warehouse.load(ACTIVITIES, [activity('acti_2', 1, { cc: ['z'] })]);
    expect(await warehouse.rows(`SELECT value FROM ${SCHEMA}.activities__cc_current`)).toEqual([
      { value: 'z' },
    ]);
  });
});

it('says so when the key of a table is gone, which no repair can bring back', async () => {
  await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads DROP CONSTRAINT leads_pkey`);
  await expect(warehouse.load(LEADS, [lead('lead_9', 1)])).rejects.toMatchObject({
    ...{ code: 'WAREHOUSE_KEY_MISSING', recovery: 'fail-stream' },
  });
});

it('leaves columns, indexes and views of the users alone', async () => {
  await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ADD COLUMN mine text`);
  await warehouse.rows(`CREATE INDEX mine ON ${SCHEMA}.leads (name)`);
  await warehouse.rows(`CREATE VIEW ${SCHEMA}.mine_view AS SELECT mine FROM ${SCHEMA}.leads`);
  await warehouse.rows(`UPDATE ${SCHEMA}.leads SET mine = 'kept'`);
  await warehouse.load(LEADS, [lead('lead_1', 2, { later: 1 })]);
  expect(await warehouse.table('leads', 'id, mine')).toMatchObject([
    { id: 'lead_1', mine: 'kept' },
    { id: 'lead_2', mine: 'kept' },
  ]);
});
