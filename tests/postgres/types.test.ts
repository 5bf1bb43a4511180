import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExactNumber, type JsonRecord } from '../../src/core/record.js';
import { ACTIVITIES, at, LEADS, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
});
afterAll(() => warehouse.close());

let recordCount = 0;

/** Loads one lead with these fields and gives its row, every value as text. */
async function roundTrip(fields: JsonRecord): Promise<Record<string, unknown>> {
  recordCount += 1;
  const id = `lead_${recordCount}`;
  await warehouse.load(LEADS, [{ id, date_updated: at(1), ...fields }]);
  const columns = await columnsOf('leads');
  const texts = columns.map(({ name }) => `"${name}"::text`).join(', ');
  const [row] = await warehouse.rows(`SELECT ${texts} FROM ${SCHEMA}.leads WHERE id = $1`, [id]);
  return row ?? {};
}

async function columnsOf(table: string): Promise<{ name: string; type: string }[]> {
  const rows = await warehouse.rows(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [`${SCHEMA}."${table}"`],
  );
  return rows as { name: string; type: string }[];
}

async function typeOf(column: string): Promise<string | undefined> {
  return (await columnsOf('leads')).find(({ name }) => name === column)?.type;
}

describe('types', () => {
  it.each([
    ['an_integer', 42, 'bigint', '42'],
    ['a_large_integer', new ExactNumber('9223372036854775807'), 'bigint', '9223372036854775807'],
    ['a_float', 0.1, 'double precision', '0.1'],
    ['a_round_float', new ExactNumber('4.0'), 'double precision', '4'],
    ['a_boolean', true, 'boolean', 'true'],
    ['a_text', 'it\'s \\ "quoted" \n ünï 🎈', 'text', 'it\'s \\ "quoted" \n ünï 🎈'],
    ['an_empty_text', '', 'text', ''],
    [
      'date_seen',
      '2022-11-09T13:25:53.721936+02:00',
      'timestamp with time zone',
      '2022-11-09 11:25:53.721936+00',
    ],
    ['date_only', '2022-11-09', 'timestamp with time zone', '2022-11-09 00:00:00+00'],
    ['date_garbled', 'n/a', 'text', 'n/a'],
    [
      'exact',
      new ExactNumber('12345678901234567890.123456789'),
      'numeric',
      '12345678901234567890.123456789',
    ],
    ['huge', new ExactNumber('1e400'), 'numeric', `1${'0'.repeat(400)}`],
    ['beyond', new ExactNumber('1e200000'), 'text', '1e200000'],
  ] as const)('%s is a column of its type with its value', async (field, value, type, text) => {
    const row = await roundTrip({ [field]: value });
    expect(await typeOf(field)).toBe(type);
    expect(row[field]).toBe(text);
  });

  it('puts a second type of a field into a sibling column and leaves the first as it is', async () => {
    await roundTrip({ age: 7, has_magic: true });
    const row = await roundTrip({ age: 'seven', has_magic: 'maybe' });
    expect(row).toMatchObject({ age: null, age__st: 'seven', has_magic: null });
    expect(await typeOf('age')).toBe('bigint');
    expect((await roundTrip({ age: 7.5 }))['age__do']).toBe('7.5');
    expect((await roundTrip({ age: 8 }))['age']).toBe('8');
  });

  it('takes an integer into a column that began with a fraction', async () => {
    await roundTrip({ score: 1.5 });
    expect((await roundTrip({ score: 2 }))['score']).toBe('2');
    expect(await typeOf('score__bi')).toBeUndefined();
  });

  it('makes no column before the first value that is not null', async () => {
    await roundTrip({ nothing_yet: null, none: [] });
    expect(await typeOf('nothing_yet')).toBeUndefined();
    expect(await warehouse.rows("SELECT to_regclass('leads__none') AS name")).toEqual([
      { name: null },
    ]);
  });
});

describe('names', () => {
  it.each([
    'robert"); DROP TABLE leads;--',
    "x'; DELETE FROM leads; --",
    '$1',
    '%s',
    'back\\slash',
    'new\nline',
    ' spaces  kept ',
    'CaSe',
    'case',
    'select',
    'ctid',
    'xmin',
    'xmax',
    'cmin',
    'cmax',
    'tableoid',
    'ünïcode 🎈',
    '__proto__',
    'constructor',
    '"',
    '',
    'a.b',
    'nul\0name',
    'half \ud800 pair',
    'k',
    'c0',
    'n',
    'l0',
    'h',
    't',
    'excluded',
  ])('a field called %j gets a column, and its value comes back', async (field) => {
    const value = `value of ${JSON.stringify(field)}`;
    const row = await roundTrip(Object.fromEntries([[field, value]]));
    expect(Object.values(row)).toContain(value);
    const [table] = await warehouse.rows(`SELECT count(*) AS leads FROM ${SCHEMA}.leads`);
    expect(table).toEqual({ leads: recordCount });
  });

  it.each(['robert"); DROP TABLE leads;--', "x'y", '$1', 'CaSe', 'a.b', 'ünïcode 🎈'])(
    'an array called %j gets a subtable',
    async (field) => {
      const value = `element of ${field}`;
      await roundTrip({ [field]: [value] });
      const [stored] = await warehouse.rows(
        'SELECT table_name AS name FROM closehaul.warehouse_tables ORDER BY ctid DESC LIMIT 1',
      );
      const rows = await warehouse.table(String(stored?.['name']).replaceAll('"', '""'), 'value');
      expect(rows).toEqual([{ value }]);
    },
  );

  it('are cut where PostgreSQL would cut them, and two of one beginning stay two', async () => {
    const long = `x${'é'.repeat(40)}`;
    const row = await roundTrip({
      [`${long}1`]: 'one',
      [`${long}2`]: 'two',
      [`${long}3`]: ['three'],
    });
    const names = Object.keys(row).filter((name) => name.startsWith('xé'));
    expect(names.map((name) => row[name]).sort()).toEqual(['one', 'two']);
    expect(names.every((name) => Buffer.byteLength(name) <= 59)).toBe(true);
    await roundTrip({ [`${long}1`]: 5, [`${long}2`]: 6 });
    const typed = (await columnsOf('leads')).filter(({ name }) => name.startsWith('xé'));
    expect(typed.map(({ type }) => type).sort()).toEqual(['bigint', 'bigint', 'text', 'text']);
    expect(typed.every(({ name }) => Buffer.byteLength(name) <= 63)).toBe(true);
    const comments = await warehouse.rows(
      `SELECT col_description('${SCHEMA}.leads'::regclass, attnum) AS comment FROM pg_attribute
        WHERE attrelid = '${SCHEMA}.leads'::regclass AND attname LIKE 'xé%' AND atttypid = 25`,
    );
    expect(comments.map(({ comment }) => comment).sort()).toEqual([
      `Close field ${long}1.`,
      `Close field ${long}2.`,
    ]);
  });

  it('stay what they are for another worker and after a restart', async () => {
    const long = 'y'.repeat(70);
    await roundTrip({ [`${long}b`]: 'b' });
    const other = await warehouse.otherCatalog();
    const record = { id: 'lead_other', date_updated: at(1), [`${long}a`]: 'a', [`${long}b`]: 'b' };
    await warehouse.load(LEADS, [record], { catalog: other });
    const names = (await columnsOf('leads')).filter(({ name }) => name.startsWith('yyy'));
    expect(names).toHaveLength(2);
  });

  it('lie in the order of their bytes when a table is made, later ones behind', async () => {
    const record = { zeta: 1, Alpha: 1, _type: 'x', alpha: 1, envelope: { b: 1, a: 1 }, '1d': 1 };
    await warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1), ...record }]);
    const names = async (): Promise<string[]> =>
      (await columnsOf('activities')).map(({ name }) => name);
    const first = await names();
    expect(first).toEqual([
      ...['1d', 'Alpha', '_sdc_batched_at', '_sdc_deleted_at', '_sdc_deleted_by'],
      ...['_sdc_merged_into', '_sdc_received_at'],
      ...['_sdc_record_hash', '_sdc_sequence', '_sdc_table_version', '_type', 'alpha'],
      ...['date_updated', 'envelope__a', 'envelope__b', 'id', 'zeta'],
    ]);
    await warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(2), '0': 1 }]);
    expect(await names()).toEqual([...first, '0']);
  });
});

it('records when each row came and was loaded', async () => {
  await roundTrip({ children: [{ a: 1 }] });
  for (const table of ['leads', 'leads__children']) {
    const [row] = await warehouse.rows(
      `SELECT _sdc_received_at, _sdc_batched_at > now() - interval '1 hour' AS was_now,
              _sdc_table_version FROM ${SCHEMA}.${table} WHERE id = $1`,
      [`lead_${recordCount}`],
    );
    expect(row).toEqual({
      _sdc_received_at: '2026-01-02T03:04:05.678901Z',
      was_now: true,
      _sdc_table_version: null,
    });
  }
});
