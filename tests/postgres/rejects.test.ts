import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExactJson } from '../../src/close/exact-json.js';
import { ExactNumber, type JsonRecord } from '../../src/core/record.js';
import { readCheckpoint } from '../../src/postgres/checkpoints.js';
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
});
afterEach(() => warehouse.close());

function lead(id: string, fields: JsonRecord = {}): JsonRecord {
  return { id, date_updated: at(1), name: id, ...fields };
}

function page(size: number): JsonRecord[] {
  return Array.from({ length: size }, (_, n) =>
    lead(`lead_${String(n).padStart(3, '0')}`, { contacts: [{ name: 'A' }, { name: 'B' }] }),
  );
}

const refused = (sqlstate: string): string =>
  `PostgreSQL refused the record (SQLSTATE ${sqlstate})`;

describe('a record that PostgreSQL refuses', () => {
  it.each([
    ['first', 0],
    ['in the middle', 57],
    ['last', 99],
  ])('is found in a page of 100 when it is %s, and the other 99 load', async (_, position) => {
    await warehouse.load(LEADS, [lead('lead_first')]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ADD CHECK (name <> 'poison')`);
    const records = page(100);
    const poison = lead(`lead_${String(position).padStart(3, '0')}`, { name: 'poison' });
    records[position] = poison;
    const loaded = await warehouse.load(LEADS, records);
    expect(loaded).toEqual(counts({ fetched: 100, inserted: 99, rejected: 1, rows: 99 * 3 }));
    const [kept, ...others] = await warehouse.rows(`SELECT * FROM ${SCHEMA}._sdc_rejected`);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ table_name: 'leads', reason: refused('23514') });
    expect(JSON.parse(String(kept?.['record']))).toEqual(poison);
  });

  it('may be alone in its page, and the slice goes on', async () => {
    await warehouse.load(LEADS, [lead('lead_first')]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ADD CHECK (name <> 'poison')`);
    const ref = await warehouse.slice(LEADS);
    const loaded = await warehouse.load(LEADS, [lead('x', { name: 'poison' })], { ref });
    expect(loaded).toEqual(counts({ fetched: 1, rejected: 1 }));
    expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ isDone: true });
  });

  it('may be refused by a trigger that somebody wrote, also on a subtable', async () => {
    await warehouse.load(LEADS, [lead('lead_first', { contacts: [{ name: 'A' }] })]);
    await warehouse.rows(
      `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF new.items__name = 'poison' THEN RAISE EXCEPTION 'no % here', new.items__name; END IF;
         RETURN new; END $$`,
    );
    await warehouse.rows(
      `CREATE TRIGGER no BEFORE INSERT ON ${SCHEMA}.leads__contacts FOR EACH ROW EXECUTE FUNCTION no()`,
    );
    const records = [...page(10), lead('bad', { contacts: [{ name: 'A' }, { name: 'poison' }] })];
    const loaded = await warehouse.load(LEADS, records);
    expect(loaded).toEqual(counts({ fetched: 11, inserted: 10, rejected: 1, rows: 30 }));
    expect(await warehouse.rows(`SELECT reason FROM ${SCHEMA}._sdc_rejected`)).toEqual([
      { reason: refused('P0001') },
    ]);
    expect(await warehouse.rows(`SELECT 1 FROM ${SCHEMA}.leads WHERE id = 'bad'`)).toEqual([]);
  });

  it('may be refused by a constraint that is only checked at the commit', async () => {
    await warehouse.load(LEADS, [lead('lead_first', { twin: 'none' })]);
    await warehouse.rows(
      `ALTER TABLE ${SCHEMA}.leads ADD UNIQUE (twin) DEFERRABLE INITIALLY DEFERRED`,
    );
    const records = [lead('a', { twin: '1' }), lead('b', { twin: '1' }), lead('c', { twin: '2' })];
    const loaded = await warehouse.load(LEADS, records);
    expect(loaded).toMatchObject({ fetched: 3, inserted: 2, rejected: 1 });
  });

  it('may have a key that is too long for an index', async () => {
    let key = 'lead_';
    for (let n = 0; key.length < 9_000; n += 1) key += Math.sin(n).toString(36);
    const loaded = await warehouse.load(LEADS, [...page(2), lead(key)]);
    expect(loaded).toMatchObject({ inserted: 2, rejected: 1 });
  });

  it('is one of many of its kind: half of a page', async () => {
    await warehouse.load(ACTIVITIES, [{ id: 'a', date_updated: at(1), size: 1 }]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.activities ADD CHECK (size % 2 = 1)`);
    const records = Array.from({ length: 40 }, (_, n) => ({
      ...{ id: `acti_${n}`, date_updated: at(1), size: n, to: ['x'] },
    }));
    const loaded = await warehouse.load(ACTIVITIES, records);
    expect(loaded).toEqual(counts({ fetched: 40, inserted: 20, rejected: 20, rows: 40 }));
  });
});

describe('_sdc_rejected', () => {
  it('has its four columns from the beginning', async () => {
    const columns = await warehouse.rows(
      `SELECT column_name AS name, data_type AS type FROM information_schema.columns
        WHERE table_schema = $1 AND table_name = '_sdc_rejected' ORDER BY ordinal_position`,
      [SCHEMA],
    );
    expect(columns.map(({ name, type }) => `${String(name)} ${String(type)}`)).toEqual([
      'record text',
      'reason text',
      'table_name text',
      '_sdc_rejected_at timestamp with time zone',
    ]);
  });

  it('rolls the page back when it takes no rows itself', async () => {
    await warehouse.rows(`ALTER TABLE ${SCHEMA}._sdc_rejected ADD CHECK (reason = 'never')`);
    const ref = await warehouse.slice(LEADS);
    const load = warehouse.load(LEADS, [lead('good'), { no: 'key' }], { ref });
    await expect(load).rejects.toMatchObject({ code: 'REJECTS_REFUSED' });
    expect(await warehouse.rows(`SELECT count(*) AS leads FROM ${SCHEMA}.leads`)).toEqual([
      { leads: 0 },
    ]);
    expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ version: 0 });
  });

  it('keeps a record as it was sent: NUL, halves of a surrogate pair, exact numbers', async () => {
    const record = {
      ...{ no: 'key', nul: 'a\0b', half: 'a\ud800b', escaped: 'a\\u0000b' },
      ...{ exact: new ExactNumber('12345678901234567890'), list: [{ 'k\0': ['\udfff'] }] },
      beyond: new ExactNumber('1e400'),
    };
    await warehouse.load(LEADS, [record]);
    const [kept] = await warehouse.rows(`SELECT record FROM ${SCHEMA}._sdc_rejected`);
    expect(parseExactJson(String(kept?.['record']))).toEqual(record);
  });

  it('keeps a record once that is rejected at each read, and again for another reason', async () => {
    const record = { no: 'key' };
    await warehouse.load(LEADS, [record, record]);
    await warehouse.load(LEADS, [record]);
    await warehouse.load(ACTIVITIES, [record]);
    const kept = await warehouse.rows(`SELECT table_name FROM ${SCHEMA}._sdc_rejected ORDER BY 1`);
    expect(kept).toEqual([{ table_name: 'activities' }, { table_name: 'leads' }]);
  });

  it('keeps a record of any depth', async () => {
    let deep: JsonRecord = { end: true };
    for (let depth = 0; depth < 20_000; depth += 1) deep = { d: deep };
    const loaded = await warehouse.load(LEADS, [lead('deep', { deep }), lead('flat')]);
    expect(loaded).toMatchObject({ fetched: 2, inserted: 1, rejected: 1 });
  });
});

it('loads a record whose rows somebody deleted by hand, and not the rows of its arrays', async () => {
  await warehouse.load(LEADS, page(5));
  await warehouse.rows(`DELETE FROM ${SCHEMA}.leads WHERE id IN ('lead_001', 'lead_003')`);
  const loaded = await warehouse.load(LEADS, page(5));
  expect(loaded).toEqual(counts({ fetched: 5, inserted: 2, unchanged: 3, rows: 6 }));
  expect(await warehouse.table('leads__contacts', 'id')).toHaveLength(10);
});
