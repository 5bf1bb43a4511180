import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonRecord } from '../../src/core/record.js';
import { keepCustomFields } from '../../src/postgres/custom-fields.js';
import { takeRereads } from '../../src/postgres/rereads.js';
import {
  ACTIVITIES,
  at,
  counts,
  LEADS,
  LIVE_FROM,
  openWarehouse,
  SCHEMA,
  type Warehouse,
} from './warehouse.js';

let warehouse: Warehouse;
beforeEach(async () => {
  warehouse = await openWarehouse();
});
afterEach(() => warehouse.close());

function lead(id: string, second: number, fields: JsonRecord = {}): JsonRecord {
  return { id, date_updated: at(second), ...fields };
}

function fields(count: number, value: (n: number) => JsonRecord[string]): JsonRecord {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`f${String(n).padStart(4, '0')}`, value(n)]),
  );
}

/** A record's fields as its row has them, be it in columns or in `_sdc_overflow`. */
async function fieldsOf(id: string, table = 'leads'): Promise<Record<string, unknown>> {
  const [row] = await warehouse.rows(
    `SELECT to_jsonb(t) || coalesce(nullif(to_jsonb(t)->'_sdc_overflow', 'null'), '{}') AS all FROM ${SCHEMA}.${table} t WHERE id = $1`,
    [id],
  );
  const all = row?.['all'] as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(all).filter(([name, value]) => /^f\d/.test(name) && value !== null),
  );
}

async function columnCount(table: string): Promise<unknown> {
  const [row] = await warehouse.rows(
    `SELECT count(*) AS count FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2`,
    [SCHEMA, table],
  );
  return row?.['count'];
}

describe('what PostgreSQL has no room for goes to _sdc_overflow', () => {
  it('not with 300 custom fields of long texts, which fit', async () => {
    const many = fields(300, (n) => `${n} `.repeat(40));
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 1, many)]);
    expect(loaded).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await columnCount('leads')).toBe(310);
  });

  it('with 2,000 fields: the ones beyond the columns, exactly and with their types', async () => {
    const many = fields(2_000, (n) => (n % 3 === 0 ? n : n % 3 === 1 ? n % 2 === 0 : null));
    await warehouse.load(LEADS, [
      lead(
        'lead_1',
        1,
        fields(2_000, (n) => n),
      ),
    ]);
    const loaded = await warehouse.load(LEADS, [lead('lead_2', 1, many)]);
    expect(loaded).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await fieldsOf('lead_1')).toEqual(fields(2_000, (n) => n));
    const [row] = await warehouse.rows(
      `SELECT f0000, f0003, f0001__bo, _sdc_overflow->'f1998' AS last FROM ${SCHEMA}.leads WHERE id = 'lead_2'`,
    );
    expect(row).toMatchObject({ f0000: 0, f0003: 3, last: 1998 });
  });

  it('with 700 long texts, of which each leaves a pointer in the row', async () => {
    const wide = fields(700, (n) => `${n}${'x'.repeat(30)}`);
    const loaded = await warehouse.load(LEADS, [lead('lead_0', 1), lead('lead_1', 1, wide)]);
    expect(loaded).toMatchObject({ inserted: 2, rejected: 0 });
    expect(await fieldsOf('lead_1')).toEqual(wide);
    expect(await warehouse.load(LEADS, [lead('lead_1', 1, wide)])).toMatchObject({ unchanged: 1 });
  });

  it.each([
    ['numbers', (n: number) => n + 0.5],
    ['short texts', (n: number) => `${n}`.padEnd(20, 'x')],
    ['one-letter texts', () => 'é'],
    ['truth values', (n: number) => n % 2 === 0],
  ])('with 1,390 columns of %s in one row', async (_, value) => {
    const wide = fields(1_390, value);
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 1, wide)]);
    expect(loaded).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await fieldsOf('lead_1')).toEqual(wide);
  });

  it('for each later row of the table, so that a field is in one place; older rows stay', async () => {
    const half = fields(600, (n) => `half ${n}`.padEnd(30, 'x'));
    const evens = Object.fromEntries(Object.entries(half).filter((_, n) => n % 2 === 0));
    const odds = Object.fromEntries(Object.entries(half).filter((_, n) => n % 2 === 1));
    await warehouse.load(LEADS, [lead('evens', 1, evens), lead('odds', 1, odds)]);
    await warehouse.load(LEADS, [lead('all', 1, half)]);
    const [moved] = await warehouse.rows(
      "SELECT column_name AS name FROM closehaul.warehouse_columns WHERE place = 'moved' LIMIT 1",
    );
    const name = String(moved?.['name']);
    await warehouse.load(LEADS, [lead('later', 1, { [name]: 'here' })]);
    const rows = await warehouse.rows(
      `SELECT id, "${name}" AS column, _sdc_overflow->>$1 AS overflow FROM ${SCHEMA}.leads ORDER BY id`,
      [name],
    );
    expect(rows).toContainEqual({ id: 'later', column: null, overflow: 'here' });
    expect(rows.filter((row) => row['column'] !== null)).toHaveLength(1);
    // A newer version of an old row leaves nothing behind in the column.
    await warehouse.load(LEADS, [lead('evens', 2, { [name]: 'new' }), lead('odds', 2)]);
    const [left] = await warehouse.rows(`SELECT count("${name}") AS left FROM ${SCHEMA}.leads`);
    expect(left).toEqual({ left: 0 });
    expect(await fieldsOf('all')).toEqual(half);
  });

  it('in subtables and append-only tables alike', async () => {
    const wide = fields(900, (n) => `${n}${'x'.repeat(30)}`);
    const record = { id: 'acti_1', date_updated: at(1), ...wide, users: [wide, { f0001: 'one' }] };
    expect(await warehouse.load(ACTIVITIES, [record])).toMatchObject({ inserted: 1, rejected: 0 });
    expect(await fieldsOf('acti_1', 'activities_current')).toEqual(wide);
    const rows = await warehouse.rows(
      `SELECT count(*) AS count FROM ${SCHEMA}.activities__users_current
        WHERE _sdc_overflow ? 'items__f0899' OR items__f0001 = 'one'`,
    );
    expect(rows).toEqual([{ count: 2 }]);
  });
});

describe('what others have in the schema', () => {
  it('as a table of the same name is refused, with its name, and left as it is', async () => {
    await warehouse.rows(`CREATE TABLE ${SCHEMA}.leads (mine int)`);
    await expect(warehouse.load(LEADS, [lead('lead_1', 1)])).rejects.toMatchObject({
      ...{ code: 'WAREHOUSE_NAME_TAKEN', recovery: 'fail-stream' },
      message: expect.stringContaining('leads') as string,
    });
    expect(await columnCount('leads')).toBe(1);
  });

  it('as a table where a view of ours should be is refused too', async () => {
    await warehouse.rows(`CREATE TABLE ${SCHEMA}.activities_current (mine int)`);
    const load = warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1) }]);
    await expect(load).rejects.toMatchObject({ code: 'WAREHOUSE_NAME_TAKEN' });
  });

  it('as a column of the same name keeps its values; the field gets a column beside', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1)]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ADD COLUMN source int`);
    await warehouse.rows(`UPDATE ${SCHEMA}.leads SET source = 7`);
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 2, { source: 'ads' })]);
    expect(loaded).toMatchObject({ updated: 1, rejected: 0 });
    const [column] = await warehouse.rows(
      "SELECT column_name AS name FROM closehaul.warehouse_columns WHERE path = 'source'",
    );
    const name = String(column?.['name']);
    expect(name).toMatch(/^source_[0-9a-f]{8}$/);
    expect(await warehouse.table('leads', `source, "${name}" AS ours`)).toEqual([
      { source: 7, ours: 'ads' },
    ]);
  });

  it('as another type of a column of ours is named', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { size: 1 })]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ALTER size TYPE date USING now()`);
    await expect(warehouse.load(LEADS, [lead('lead_1', 2, { size: 2 })])).rejects.toMatchObject({
      code: 'WAREHOUSE_TYPE_CHANGED',
    });
  });
});

describe('a table dropped by hand', () => {
  const activity = (second: number): JsonRecord => ({
    ...{ id: 'acti_1', date_updated: at(second), subject: 's', to: ['x', 'y'] },
  });

  it('is noticed without a record that would touch it, and its stream wanted again, once', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { contacts: [{ name: 'A' }] })]);
    await warehouse.load(ACTIVITIES, [activity(1)]);
    await warehouse.catalog.repairDamage();
    expect(await takeRereads(warehouse.pool, SCHEMA, null)).toEqual([]);

    await warehouse.rows(`DROP TABLE ${SCHEMA}.leads__contacts`);
    await (await warehouse.otherCatalog()).repairDamage();
    expect(await warehouse.table('leads__contacts')).toEqual([]);
    const [wish, ...others] = await takeRereads(warehouse.pool, SCHEMA, 'backfill/other');
    expect(others).toEqual([]);
    expect(wish).toMatchObject({ streams: ['leads'], from: '2024-01-01T00:00:00.000000Z' });
    expect(await takeRereads(warehouse.pool, SCHEMA, null)).toEqual([wish]);
    expect(await takeRereads(warehouse.pool, SCHEMA, `backfill/${wish?.id}`)).toEqual([]);
    expect(await takeRereads(warehouse.pool, SCHEMA, null)).toEqual([]);
  });

  it.each([
    ['a subtable', `DROP TABLE ${SCHEMA}.activities__to CASCADE`],
    ['a column', `ALTER TABLE ${SCHEMA}.activities DROP COLUMN subject CASCADE`],
    ['the table', `DROP TABLE ${SCHEMA}.activities CASCADE`],
  ])('gets its rows back from a re-read, append-only: %s', async (_, drop) => {
    await warehouse.load(ACTIVITIES, [activity(1)]);
    const text = `SELECT c.subject, t.value FROM ${SCHEMA}.activities_current c
                    JOIN ${SCHEMA}.activities__to_current t USING (id) ORDER BY 2`;
    const before = await warehouse.rows(text);
    await warehouse.rows(drop);
    await warehouse.catalog.repairDamage();
    expect(await warehouse.load(ACTIVITIES, [activity(1)])).toMatchObject({ unchanged: 0 });
    expect(await warehouse.rows(text)).toEqual(before);
    expect(await warehouse.load(ACTIVITIES, [activity(1)])).toEqual(
      counts({ fetched: 1, unchanged: 1 }),
    );
    expect(await warehouse.table('activities')).toHaveLength(1);
  });

  it('may be a view, which is made again without a re-read', async () => {
    await warehouse.load(ACTIVITIES, [activity(1)]);
    await warehouse.rows(`DROP VIEW ${SCHEMA}.activities_current CASCADE`);
    await warehouse.catalog.repairDamage();
    expect(await warehouse.rows(`SELECT id FROM ${SCHEMA}.activities__to_current`)).toHaveLength(2);
    expect(await takeRereads(warehouse.pool, SCHEMA, null)).toEqual([]);
  });
});

async function comments(table: string): Promise<Record<string, unknown>> {
  const rows = await warehouse.rows(
    `SELECT coalesce(a.attname, '') AS name, d.description
       FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND a.attnum > 0
      WHERE d.objoid = $1::regclass AND d.classoid = 'pg_class'::regclass`,
    [`${SCHEMA}."${table}"`],
  );
  return Object.fromEntries(rows.map(({ name, description }) => [String(name), description]));
}

describe('comments', () => {
  it('are on every table, view and column', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { contacts: [{ emails: [{ email: 'e' }] }] })]);
    await warehouse.load(ACTIVITIES, [{ id: 'a', date_updated: at(1), envelope: { to: ['x'] } }]);
    const bare = await warehouse.rows(
      `SELECT c.relname, a.attname FROM pg_class c
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND c.relkind = 'r'
        WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> '_sdc_rejected'
          AND (obj_description(c.oid, 'pg_class') IS NULL
               OR (a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL))`,
      [SCHEMA],
    );
    expect(bare).toEqual([]);
    expect(await comments('leads__contacts__emails')).toMatchObject({
      '': 'Close leads, array contacts[].emails: one row for each element, replaced with their record.',
      _sdc_level_0_id: 'Position in the array contacts, from 0.',
      _sdc_level_1_id: 'Position in the array emails, from 0.',
      items__email: 'Close field email.',
    });
  });

  it('follow a custom field that is renamed, retyped or deleted; its column does not', async () => {
    const stream = { ...LEADS, customFields: { own: 'lead', nested: { contacts: 'contact' } } };
    const custom = { custom: { 'In.dustry': 'x' }, contacts: [{ custom: { Role: ['r'] } }] };
    warehouse = await reopenWith(stream);
    const define = (name: string, type: string) =>
      keepCustomFields(
        warehouse.pool,
        SCHEMA,
        [
          { family: 'lead', definitions: [{ id: 'cf_1', name, type }], seen: new Set() },
          { family: 'contact', definitions: null, seen: new Set(['Role']) },
        ],
        LIVE_FROM,
      );
    await define('In.dustry', 'text');
    await warehouse.load(stream, [lead('lead_1', 1, custom)]);
    expect(await comments('leads')).toMatchObject({
      'custom__In.dustry': 'Close custom field "In.dustry" (cf_1, text).',
    });
    expect(await comments('leads__contacts__custom__Role')).toMatchObject({
      value: 'Close custom field "Role" (Role), whose definition Close does not give.',
    });
    await define('Branch', 'choices');
    await warehouse.catalog.describe();
    expect(await comments('leads')).toMatchObject({
      'custom__In.dustry':
        'Close custom field "Branch" (cf_1, choices); it was called "In.dustry" when it was first seen.',
    });
  });

  async function reopenWith(stream: typeof LEADS): Promise<Warehouse> {
    await warehouse.close();
    return openWarehouse('stitch', { streams: [stream, ACTIVITIES] });
  }
});

it('has indexes on what people filter and join by', async () => {
  await warehouse.load(LEADS, [lead('lead_1', 1)]);
  await warehouse.load(ACTIVITIES, [{ id: 'a', date_updated: at(1), lead_id: 'lead_1' }]);
  const rows = await warehouse.rows(
    `SELECT regexp_replace(indexdef, '^.* USING ', '') AS index FROM pg_indexes
      WHERE schemaname = $1 AND tablename IN ('leads', 'activities') ORDER BY tablename, indexname`,
    [SCHEMA],
  );
  expect(rows.map(({ index }) => index)).toEqual([
    'btree (date_updated)',
    'btree (id, _sdc_record_hash)',
    'btree (lead_id)',
    'btree (id, _sdc_sequence)',
    'btree (date_updated)',
    'btree (id)',
  ]);
});

it('lets closehaul_reader read what is there and what comes, and change nothing', async () => {
  await warehouse.load(LEADS, [lead('lead_1', 1)]);
  const may = async (right: string, object: string): Promise<unknown> => {
    const [row] = await warehouse.rows(
      `SELECT has_table_privilege('closehaul_reader', $1, $2) AS may`,
      [object, right],
    );
    return row?.['may'];
  };
  for (const table of ['leads', '_sdc_rejected']) {
    expect(await may('SELECT', `${SCHEMA}.${table}`)).toBe(true);
    expect(await may('INSERT', `${SCHEMA}.${table}`)).toBe(false);
  }
  expect(await may('SELECT', 'closehaul.sync_status')).toBe(true);
  expect(await may('SELECT', 'closehaul.checkpoints')).toBe(false);
});
