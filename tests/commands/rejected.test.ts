import { afterEach, beforeEach, expect, it } from 'vitest';
import { retryRejects } from '../../src/commands/rejected.js';
import { readConnection, type StoredConnection } from '../../src/postgres/connections.js';
import { keepCustomFields } from '../../src/postgres/custom-fields.js';
import {
  ACTIVITIES,
  at,
  LEADS,
  LIVE_FROM,
  openWarehouse,
  SCHEMA,
  type Warehouse,
} from '../postgres/warehouse.js';

let warehouse: Warehouse;
beforeEach(async () => {
  warehouse = await openWarehouse();
});
afterEach(() => warehouse.close());

const STREAMS = [LEADS, { ...ACTIVITIES, customFields: { own: 'activity', nested: {} } }];

async function retry(): ReturnType<typeof retryRejects> {
  const connection = (await readConnection(warehouse.pool, SCHEMA)) as StoredConnection;
  return retryRejects(warehouse.pool, connection, STREAMS);
}

/** Constraints of the users' that refuse some records, until they are taken away. */
async function refuse(): Promise<void> {
  await warehouse.load(LEADS, [{ id: 'first', date_updated: at(1), size: 1 }]);
  await warehouse.load(ACTIVITIES, [{ id: 'first', date_updated: at(1), size: 1 }]);
  for (const table of ['leads', 'activities']) {
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.${table} ADD CONSTRAINT small CHECK (size < 2)`);
  }
}

it('loads what was rejected once its reason is gone, of all streams, over many pages', async () => {
  await refuse();
  const records = Array.from({ length: 250 }, (_, n) => ({
    ...{ id: `lead_${n}`, date_updated: at(1), size: 5, contacts: [{ name: 'A' }] },
  }));
  await warehouse.load(LEADS, records);
  await warehouse.load(ACTIVITIES, [
    { id: 'acti_1', date_updated: at(1), size: 5, 'custom.cf_1': 'x' },
  ]);
  expect(await retry()).toEqual({ tried: 251, rejected: 251 });
  expect(await warehouse.rows(`SELECT count(*) AS n FROM ${SCHEMA}._sdc_rejected`)).toEqual([
    { n: 251 },
  ]);

  await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads DROP CONSTRAINT small`);
  expect(await retry()).toEqual({ tried: 251, rejected: 1 });
  await warehouse.rows(`ALTER TABLE ${SCHEMA}.activities DROP CONSTRAINT small`);
  const definition = { id: 'cf_1', name: 'Kind', type: 'text' };
  const read = { family: 'activity', definitions: [definition], seen: new Set<string>() };
  await keepCustomFields(warehouse.pool, SCHEMA, [read], LIVE_FROM);
  expect(await retry()).toEqual({ tried: 1, rejected: 0 });

  expect(await warehouse.table('leads__contacts', 'id')).toHaveLength(250);
  const kind = `SELECT "custom__Kind" AS kind FROM ${SCHEMA}.activities WHERE id = 'acti_1'`;
  expect(await warehouse.rows(kind)).toEqual([{ kind: 'x' }]);
  expect(await warehouse.rows(`SELECT 1 FROM ${SCHEMA}._sdc_rejected`)).toEqual([]);
  expect(await retry()).toEqual({ tried: 0, rejected: 0 });
  const runs = await warehouse.rows(
    `SELECT sum(fetched) AS fetched, sum(inserted) AS inserted FROM closehaul.run_streams`,
  );
  expect(runs).toEqual([{ fetched: '503', inserted: '251' }]);
  const status = await warehouse.rows(
    'SELECT DISTINCT status, last_success_at FROM closehaul.streams',
  );
  expect(status).toEqual([{ status: 'Pending', last_success_at: null }]);
});

it('never puts an old version over a newer one', async () => {
  await refuse();
  await warehouse.load(LEADS, [{ id: 'lead_1', date_updated: at(1), size: 5 }]);
  await warehouse.load(LEADS, [{ id: 'lead_1', date_updated: at(2), size: 0 }]);
  await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads DROP CONSTRAINT small`);
  expect(await retry()).toEqual({ tried: 1, rejected: 0 });
  expect(await warehouse.rows(`SELECT size FROM ${SCHEMA}.leads WHERE id = 'lead_1'`)).toEqual([
    { size: 0 },
  ]);
});

it('loses nothing when two try at once: one gives up with a clear error', async () => {
  await refuse();
  const records = Array.from({ length: 40 }, (_, n) => ({
    ...{ id: `lead_${n}`, date_updated: at(1), size: 5 },
  }));
  await warehouse.load(LEADS, records);
  await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads DROP CONSTRAINT small`);
  const ends = await Promise.allSettled([retry(), retry()]);
  for (const end of ends) {
    if (end.status === 'rejected') {
      expect((end.reason as { code: string }).code).toMatch(/REJECTS_TAKEN|SLICE_TAKEN/);
    }
  }
  expect(ends.some(({ status }) => status === 'fulfilled')).toBe(true);
  const [counted] = await warehouse.rows(
    `SELECT (SELECT count(*) FROM ${SCHEMA}.leads WHERE size = 5) AS loaded,
            (SELECT count(*) FROM ${SCHEMA}._sdc_rejected) AS "left"`,
  );
  expect(counted).toEqual({ loaded: 40, left: 0 });
});
