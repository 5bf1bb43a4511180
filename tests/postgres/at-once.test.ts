import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, migrate } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { inject } from 'vitest';
import { testDatabase } from '../support/stack.js';
import { ACTIVITIES, at, LEADS, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

/** Who waits for a lock in this database. */
const WAITING = `SELECT * FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                  WHERE NOT l.granted AND d.datname = current_database()`;
const WORKERS = Array.from({ length: 20 }, (_, n) => n);

describe('twenty workers at once', () => {
  let warehouse: Warehouse;
  beforeEach(async () => {
    warehouse = await openWarehouse();
  });
  afterEach(() => warehouse.close());

  it('that meet the same new table and fields make one of each', async () => {
    const pool = createPool({ url: warehouse.url, sizeMax: 20, applicationName: 'twenty' });
    const catalogs = await Promise.all(WORKERS.map(() => warehouse.otherCatalog()));
    const refs = await Promise.all(WORKERS.map((n) => warehouse.slice(ACTIVITIES, `job${n}`)));
    await Promise.all(
      catalogs.map((catalog, n) => {
        const fields = { note: 'x', size: 1, to: ['a'], envelope: { cc: [{ name: 'n' }] } };
        const record = { id: `acti_${n}`, date_updated: at(1), ...fields };
        return warehouse.load(ACTIVITIES, [record], { catalog, pool, ref: refs[n]! });
      }),
    );
    await pool.end();
    const columns = await warehouse.rows(
      `SELECT table_name AS "table", count(*) AS columns FROM information_schema.columns
        WHERE table_schema = $1 AND table_name LIKE 'activities%' AND table_name NOT LIKE '%current'
        GROUP BY 1 ORDER BY 1`,
      [SCHEMA],
    );
    expect(columns).toEqual([
      { table: 'activities', columns: 12 },
      { table: 'activities__envelope__cc', columns: 7 },
      { table: 'activities__to', columns: 7 },
    ]);
    expect(await warehouse.table('activities', 'id')).toHaveLength(20);
  });

  it('that each meet a field of their own lose no value', async () => {
    const pool = createPool({ url: warehouse.url, sizeMax: 20, applicationName: 'twenty' });
    const catalogs = await Promise.all(WORKERS.map(() => warehouse.otherCatalog()));
    const refs = await Promise.all(WORKERS.map((n) => warehouse.slice(LEADS, `job${n}`)));
    await Promise.all(
      catalogs.map((catalog, n) => {
        const record = { id: `lead_${n}`, date_updated: at(1), [`own_${n}`]: `value ${n}` };
        return warehouse.load(LEADS, [record], { catalog, pool, ref: refs[n]! });
      }),
    );
    await pool.end();
    const rows = await warehouse.table('leads');
    const values = rows.map((row) => row[`own_${String(row['id']).slice(5)}`]);
    expect(values.sort()).toEqual(WORKERS.map((n) => `value ${n}`).sort());
  });

  it('that each meet a field which wants the same column get one column each', async () => {
    const pool = createPool({ url: warehouse.url, sizeMax: 20, applicationName: 'twenty' });
    await warehouse.load(LEADS, [{ id: 'lead_first', date_updated: at(1) }]);
    const catalogs = await Promise.all(WORKERS.map(() => warehouse.otherCatalog()));
    const refs = await Promise.all(WORKERS.map((n) => warehouse.slice(LEADS, `job${n}`)));
    await Promise.all(
      catalogs.map((catalog, n) => {
        // A column's name cannot have the quote, so each of these would like to be `same`.
        const record = { id: `lead_${n}`, date_updated: at(1), [`same${'"'.repeat(n)}`]: n };
        return warehouse.load(LEADS, [record], { catalog, pool, ref: refs[n]! });
      }),
    );
    await pool.end();
    const columns = await warehouse.rows(
      "SELECT path, column_name AS name FROM closehaul.warehouse_columns WHERE path LIKE 'same%'",
    );
    const values = await Promise.all(
      columns.map(async ({ path, name }) => {
        const n = (path as string).length - 'same'.length;
        const [row] = await warehouse.rows(
          `SELECT "${name as string}" AS value FROM ${SCHEMA}.leads WHERE id = $1`,
          [`lead_${n}`],
        );
        return row?.['value'];
      }),
    );
    expect(values.sort((a, b) => Number(a) - Number(b))).toEqual(WORKERS);
  });

  it('that share one copy of the names do not see each other’s half made ones', async () => {
    await Promise.all(
      WORKERS.map(async (n) => {
        const record = { id: `lead_${n}`, date_updated: at(1), [`own_${n % 7}`]: n, list: [n] };
        await warehouse.load(LEADS, [record]);
      }),
    );
    const rows = await warehouse.table('leads');
    const values = rows.map((row) => row[`own_${Number(String(row['id']).slice(5)) % 7}`]);
    expect(values.sort((a, b) => Number(a) - Number(b))).toEqual(WORKERS);
  });

  it('that share one copy of the names wait for each other without a lock', async () => {
    await warehouse.load(LEADS, [{ id: 'lead_1', date_updated: at(1) }]);
    const [one, other] = [
      await warehouse.slice(LEADS, 'one'),
      await warehouse.slice(LEADS, 'other'),
    ];
    const waits: unknown[] = [];
    let withNewField: Promise<unknown> | undefined;
    await warehouse.load(LEADS, [{ id: 'lead_2', date_updated: at(1) }], {
      ref: one,
      async probe(point) {
        if (point !== 'rows-written') return;
        const record = { id: 'lead_3', date_updated: at(1), is_new: true };
        withNewField = warehouse.load(LEADS, [record], { ref: other });
        // So long that a connection is opened and asks, if it does.
        for (let look = 0; look < 200; look += 1) {
          waits.push(...(await warehouse.rows(WAITING)));
        }
      },
    });
    expect(await withNewField).toMatchObject({ inserted: 1 });
    expect(waits).toEqual([]);
  });

  it('that start from nothing migrate once', async () => {
    const database = await testDatabase();
    await Promise.all(WORKERS.map(() => migrate(database.url)));
    const { rows } = await database.pool.query<{ names: number; ran: number }>(
      'SELECT count(DISTINCT name) AS names, count(*) AS ran FROM closehaul.migrations',
    );
    expect(rows[0]?.ran).toBe(rows[0]?.names);
    await database.close();
  });

  it('that want the same database make it once', async () => {
    const admin = inject('postgresAdminUrl');
    const name = `at_once_${process.pid}`;
    await Promise.all(WORKERS.map(() => createDatabase(admin, name)));
    const url = new URL(admin);
    url.pathname = `/${name}`;
    const pool = createPool({ url: url.href, sizeMax: 1, applicationName: 'tests' });
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
    await pool.end();
  });
});
