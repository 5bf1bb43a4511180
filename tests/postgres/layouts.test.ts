import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { parseExactJson } from '../../src/close/exact-json.js';
import { foldCustomFields } from '../../src/core/custom-fields.js';
import { parseInstant } from '../../src/core/instant.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { SourceStream } from '../../src/core/ports.js';
import {
  ExactNumber,
  isJsonRecord,
  type JsonRecord,
  type JsonValue,
} from '../../src/core/record.js';
import { ACTIVITIES, at, LEADS, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';
import { bouncedMail, exampleLead, OPPORTUNITY_FIELDS } from './worked-example.js';

let warehouse: Warehouse;
afterEach(() => warehouse.close());

const ALL = Object.keys(LAYOUTS) as LayoutName[];

/** A leaf by the way to it, as `["contacts",0,"name"]`. */
type Leaves = Map<string, { type: string; text: string }>;

/** Reads one record back out of its tables: by the paths that are stored, not by names. */
async function readBack(stream: SourceStream, key: string): Promise<Leaves> {
  const leaves: Leaves = new Map();
  const tables = await warehouse.rows(
    'SELECT path, table_name, levels FROM closehaul.warehouse_tables WHERE stream = $1',
    [stream.name],
  );
  for (const { path, table_name: name, levels } of tables) {
    const columns = await warehouse.rows(
      'SELECT path, type, column_name AS name FROM closehaul.warehouse_columns WHERE table_path = $1',
      [path],
    );
    const isRoot = levels === 0;
    const keyColumn = isRoot ? 'id' : warehouse.catalog.layout.parentKeyColumn('id');
    const positions = Array.from({ length: levels as number }, (_, n) => `_sdc_level_${n}_id`);
    const wanted = [...positions, ...columns.map((column) => String(column['name']))];
    const texts = wanted.map((column, n) => `"${column}"::text AS v${n}`).join(', ');
    const rows = await warehouse.rows(
      `SELECT ${texts || '1'} FROM ${SCHEMA}."${String(name)}" WHERE "${keyColumn}" = $1`,
      [key],
    );
    for (const row of rows) {
      const arrays = splitPath(String(path), '/').slice(1);
      const way = arrays.flatMap((part, n) => [...segments(part), Number(row[`v${n}`])]);
      columns.forEach((column, n) => {
        const text = row[`v${n + positions.length}`];
        if (text === null) return;
        const place = [...way, ...segments(String(column['path']))];
        if (column['type'] === 'jsonb')
          addJson(leaves, place, JSON.parse(text as string) as JsonValue);
        else
          leaves.set(JSON.stringify(place), { type: String(column['type']), text: text as string });
      });
    }
  }
  return leaves;
}

function splitPath(path: string, separator: '.' | '/'): string[] {
  return path.split(separator === '/' ? /(?<!\\)\// : /(?<!\\)\./);
}

function segments(path: string): string[] {
  if (path === '[]') return [];
  return splitPath(path, '.').map((part) => part.replace(/\\(.)/g, '$1'));
}

function addJson(leaves: Leaves, way: readonly (string | number)[], value: JsonValue): void {
  for (const [place, leaf] of leavesOf(value, way)) {
    leaves.set(place, { type: 'jsonb', text: plain(leaf) });
  }
}

/** What must come back: every leaf that is not null. */
function leavesOf(
  value: JsonValue,
  way: readonly (string | number)[] = [],
): [string, boolean | number | string | ExactNumber][] {
  if (value === null) return [];
  if (Array.isArray(value)) {
    return (value as JsonValue[]).flatMap((element, n) => leavesOf(element, [...way, n]));
  }
  if (isJsonRecord(value)) {
    return Object.entries(value).flatMap(([field, inner]) => leavesOf(inner, [...way, field]));
  }
  return [[JSON.stringify(way), value as boolean | number | string | ExactNumber]];
}

function plain(value: boolean | number | string | ExactNumber): string {
  return value instanceof ExactNumber ? value.text : String(value);
}

function textOf(value: boolean | number | string | ExactNumber, type: string): string {
  if (value instanceof ExactNumber) {
    return type === 'double precision' || type === 'jsonb'
      ? String(Number(value.text))
      : value.text;
  }
  if (type === 'timestamptz') return parseInstant(String(value)) ?? '';
  return String(value);
}

async function expectBack(stream: SourceStream, record: JsonRecord): Promise<void> {
  const back = await readBack(stream, record['id'] as string);
  const wanted = leavesOf(record).filter(([place]) => place !== '["id"]');
  const seen = wanted.map(([place, value]) => {
    const leaf = back.get(place);
    const text = leaf?.type === 'timestamptz' ? parseInstant(leaf.text) : leaf?.text;
    return [place, text === textOf(value, leaf?.type ?? '') ? 'the same' : [text, plain(value)]];
  });
  expect(seen.filter(([, result]) => result !== 'the same')).toEqual([]);
  expect(back.size - (back.has('["id"]') ? 1 : 0)).toBe(wanted.length);
}

const everything: JsonRecord = {
  ...{ id: 'rec_1', date_updated: at(1), _type: 'Email', name: 'ünï "x" \\', nothing: null },
  ...{
    integer: 7,
    large: new ExactNumber('9007199254740993'),
    fraction: -0.5,
    yes: true,
    no: false,
  },
  ...{
    beyond: new ExactNumber('12345678901234567890123'),
    empty: '',
    'a.b': 'dotted',
    'a/b': 'slash',
  },
  envelope: {
    subject: 's',
    date: 'Tue, 08 Nov 2022 08:09:09 -0800',
    to: [{ email: 'a' }, { name: 'b' }],
  },
  to: ['x', 'y', 'x'],
  none: [],
  mixed: [1, 'one', true, 1.5, { object: 1 }, [2, [3]], null],
  contacts: [
    { id: 'c1', emails: [{ email: 'e', type: 'home' }], phones: [], date_created: at(2) },
    {},
    {
      id: 'c2',
      emails: [{ email: 'f' }, { email: 'g', flags: ['p', 'q'] }],
      custom: { Rôle: ['r'] },
    },
  ],
};

describe.each(ALL)('layout %s', (layout) => {
  it.each([LEADS, ACTIVITIES])('gives a $name record back, leaf by leaf', async (stream) => {
    warehouse = await openWarehouse(layout);
    const loaded = await warehouse.load(stream, [everything, { id: 'rec_2', to: ['z'] }]);
    expect(loaded).toMatchObject({ inserted: 2, rejected: 0 });
    await expectBack(stream, everything);
    await expectBack(stream, { id: 'rec_2', to: ['z'] });
  });

  const samples = fileURLToPath(new URL('../../../shared/samples', import.meta.url));
  // The recordings lie beside a developer's checkout, not in it.
  const recorded = [
    ['lead', LEADS],
    ['activity', ACTIVITIES],
  ] as const;
  it.each(existsSync(samples) ? recorded : [])(
    'takes every recorded %s of real accounts and gives it back',
    async (name, stream) => {
      warehouse = await openWarehouse(layout);
      const files = readdirSync(samples).filter((file) => file.endsWith(`.${name}.jsonl`));
      const records = new Map<string, JsonRecord>();
      for (const file of files) {
        for (const line of readFileSync(join(samples, file), 'utf8').split('\n')) {
          if (line.trim() === '') continue;
          const record = foldCustomFields(
            parseExactJson(line) as JsonRecord,
            { own: 'lead', nested: { contacts: 'contact' } },
            new Map(),
          );
          // Copies of one lead were recorded at several times.
          if (!records.has(record['id'] as string)) records.set(record['id'] as string, record);
        }
      }
      expect(records.size).toBeGreaterThan(5);
      const loaded = await warehouse.load(stream, [...records.values()]);
      expect(loaded).toMatchObject({ inserted: records.size, rejected: 0 });
      for (const record of records.values()) await expectBack(stream, record);
    },
  );
});

describe('the worked example', () => {
  async function rowCounts(): Promise<Record<string, unknown>> {
    const tables = await warehouse.rows('SELECT table_name FROM closehaul.warehouse_tables');
    const counted: Record<string, unknown> = {};
    for (const { table_name: name } of tables) {
      const rows = await warehouse.rows(`SELECT count(*) AS rows FROM ${SCHEMA}."${String(name)}"`);
      counted[String(name)] = rows[0]?.['rows'];
    }
    return counted;
  }

  async function columns(table: string): Promise<unknown[]> {
    const rows = await warehouse.rows(
      `SELECT column_name AS name FROM information_schema.columns
        WHERE table_schema = $1 AND table_name = $2 ORDER BY 1`,
      [SCHEMA, table],
    );
    return rows.map(({ name }) => name);
  }

  async function primaryKey(table: string): Promise<unknown> {
    const [row] = await warehouse.rows(
      `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE conrelid = $1::regclass AND contype = 'p'`,
      [`${SCHEMA}.${table}`],
    );
    return row?.['definition'];
  }

  const SYSTEM = ['_sdc_batched_at', '_sdc_received_at', '_sdc_sequence', '_sdc_table_version'];

  it.each([
    ['stitch', 'id', 'items__'],
    ['stitch-v2', '_sdc_source_key_id', ''],
  ] as const)(
    'in layout %s has the tables, keys and columns of Stitch',
    async (layout, key, prefix) => {
      warehouse = await openWarehouse(layout);
      await warehouse.load(LEADS, [exampleLead]);
      await warehouse.load(ACTIVITIES, [bouncedMail]);
      expect(await rowCounts()).toEqual({
        ...{ leads: 1, leads__opportunities: 1, leads__contacts: 2, leads__contacts__emails: 2 },
        ...{ leads__contacts__phones: 1, leads__contacts__integration_links: 2 },
        ...{
          leads__integration_links: 1,
          leads__addresses: 1,
          'leads__contacts__custom__Role at work': 2,
        },
        ...{ activities: 1, activities__attachments: 1, activities__references: 2 },
        ...{ activities__message_ids: 1, activities__to: 1, activities__body_text_quoted: 1 },
        ...{ activities__body_html_quoted: 1, activities__envelope__from: 1 },
        ...{ activities__envelope__sender: 1, activities__envelope__to: 1 },
      });
      expect(OPPORTUNITY_FIELDS).toHaveLength(25);
      const expected = [
        key,
        '_sdc_level_0_id',
        ...SYSTEM,
        ...OPPORTUNITY_FIELDS.map((f) => prefix + f),
      ];
      expect(await columns('leads__opportunities')).toEqual(expected.sort());
      expect(await primaryKey('leads__opportunities')).toBe(
        `PRIMARY KEY (${key}, _sdc_level_0_id)`,
      );
      expect(await primaryKey('leads__contacts__emails')).toBe(
        `PRIMARY KEY (${key}, _sdc_level_0_id, _sdc_level_1_id)`,
      );
      expect(await primaryKey('leads')).toBe('PRIMARY KEY (id)');
      expect(await primaryKey('activities')).toBe('PRIMARY KEY (id, _sdc_sequence)');
      expect(await columns('leads')).not.toContain('description');
      expect(await columns('leads')).toEqual(
        expect.arrayContaining(['custom__Industry', 'custom__Current Vendor/Software', ...SYSTEM]),
      );

      const emails = `"${key}" AS lead, _sdc_level_0_id AS contact, _sdc_level_1_id AS at, "${prefix}email" AS email`;
      expect(await warehouse.table('leads__contacts__emails', emails)).toEqual([
        { lead: 'lead_example', contact: 0, at: 0, email: 'gene@example.com' },
        { lead: 'lead_example', contact: 1, at: 0, email: 'mona@example.com' },
      ]);
      expect(await warehouse.table('activities__references', 'value')).toEqual([
        { value: '<first@mail.example>' },
        { value: '<second@mail.example>' },
      ]);
      const fields =
        'envelope__date, envelope__is_autoreply, envelope__subject, need_smtp_credentials';
      expect(await warehouse.table('activities', fields)).toEqual([
        {
          envelope__date: 'Tue, 08 Nov 2022 08:09:09 -0800 (PST)',
          ...{ envelope__is_autoreply: true, envelope__subject: 'Not delivered' },
          need_smtp_credentials: false,
        },
      ]);
    },
  );
});
