import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { JsonRecord, JsonValue } from '../../src/core/record.js';
import { readTables, type TableContent } from './table-content.js';
import { OPPORTUNITY_FIELDS } from './worked-example.js';
import { ACTIVITIES, LEADS, openWarehouse, type Warehouse } from './warehouse.js';
import { lead, mail } from './lead-and-mail.js';

/**
 * What README promises to people who come from Stitch: the tables, keys, columns and rows that it
 * made of a lead and of a bounced mail.
 */
const TIME = 'timestamp with time zone';
type Fields = Record<string, readonly [type: string, text: string]>;

const text = (value: string): readonly [string, string] => ['text', value];
const bigint = (value: number): readonly [string, string] => ['bigint', String(value)];

/** The fields of the record's own row: the same in each layout. */
const ROOTS: Readonly<Record<'leads' | 'activities', Fields>> = {
  leads: {
    ...{ name: text('Marsh Pottery'), display_name: text('Marsh Pottery') },
    ...{ status_id: text('stat_1'), status_label: text('Interested') },
    ...{ organization_id: text('orga_1'), html_url: text('https://app.example/lead/lead_A/') },
    ...{ created_by: text('user_1'), created_by_name: text('Remi') },
    ...{ updated_by: text('user_1'), updated_by_name: text('Remi') },
    date_created: [TIME, '2021-07-05 11:39:00.85+00'],
    date_updated: [TIME, '2022-11-08 16:28:54.174+00'],
    ...{ custom__Industry: text('Crafts'), 'custom__Lead Owner': text('user_1') },
    'custom__Referral Source': text('Search'),
    'custom__Current Vendor/Software': text('Mud & Co'),
  },
  activities: {
    ...{ _type: text('Email'), direction: text('incoming'), status: text('inbox') },
    ...{ subject: text('Not delivered'), sender: text('Mail Delivery <daemon@mail.example>') },
    ...{ lead_id: text('lead_A'), user_id: text('user_1'), user_name: text('Remi') },
    ...{ organization_id: text('orga_1'), email_account_id: text('emailacct_1') },
    ...{ thread_id: text('acti_B'), body_text: text('Sorry') },
    ...{ need_smtp_credentials: ['boolean', 'false'], has_reply: ['boolean', 'false'] },
    date_created: [TIME, '2022-11-08 16:09:09+00'],
    date_updated: [TIME, '2022-11-08 16:28:54.14+00'],
    ...{ envelope__subject: text('Not delivered'), envelope__message_id: text('<3@mail.example>') },
    // As its sender wrote it.
    envelope__date: text('Tue, 08 Nov 2022 08:09:09 -0800 (PST)'),
    envelope__in_reply_to: text('<4@mail.example>'),
    envelope__is_autoreply: ['boolean', 'true'],
  },
};

const LINK = { name: text('Search'), url: text('https://search.example/?q=pottery') };
const DAEMON = { email: text('daemon@mail.example'), name: text('Mail Delivery') };

/** Table, positions, fields of the element: by their own names, or a text where it has none. */
const ELEMENTS: readonly (readonly [string, readonly number[], Fields | string])[] = [
  [
    'leads__opportunities',
    [0],
    {
      ...{ id: text('oppo_1'), lead_id: text('lead_A'), lead_name: text('Marsh Pottery') },
      ...{ note: text("Wants Gob's kiln."), value: bigint(300000), confidence: bigint(75) },
      ...{ value_formatted: text('$3,000'), value_currency: text('USD') },
      ...{ value_period: text('one_time'), status_id: text('stat_2') },
      ...{ status_label: text('Demo done'), status_type: text('active') },
      ...{ status_display_name: text('Demo done'), annualized_value: bigint(300000) },
      ...{ expected_value: bigint(225000), annualized_expected_value: bigint(225000) },
      ...{ organization_id: text('orga_1'), user_id: text('user_1'), user_name: text('Remi') },
      ...{ created_by: text('user_1'), created_by_name: text('Remi') },
      ...{ updated_by: text('user_1'), updated_by_name: text('Remi') },
      date_won: [TIME, '2021-07-16 00:00:00+00'],
      date_created: [TIME, '2021-07-13 11:39:04.817+00'],
      date_updated: [TIME, '2021-07-13 11:39:04.817+00'],
    },
  ],
  [
    'leads__contacts',
    [0],
    {
      ...{ id: text('cont_1'), lead_id: text('lead_A'), name: text('Ada') },
      ...{ display_name: text('Ada'), title: text('Potter') },
    },
  ],
  [
    'leads__contacts',
    [1],
    {
      ...{ id: text('cont_2'), lead_id: text('lead_A'), name: text('Tobias Fünke') },
      title: text('Glazer (deputy)'),
    },
  ],
  ['leads__contacts__emails', [0, 0], { email: text('ada@mail.example'), type: text('office') }],
  ['leads__contacts__emails', [1, 0], { email: text('tobias@mail.example'), type: text('office') }],
  [
    'leads__contacts__phones',
    [0, 0],
    {
      ...{ phone: text('+12025550186'), phone_formatted: text('+1 202-555-0186') },
      ...{ type: text('office'), country: text('US') },
    },
  ],
  ['leads__contacts__integration_links', [0, 0], LINK],
  ['leads__contacts__integration_links', [1, 0], LINK],
  // Stitch lost these: by the field's id, the name of their table is longer than a name can be.
  ['leads__contacts__custom__Role at work', [0, 0], 'Gatekeeper'],
  ['leads__contacts__custom__Role at work', [1, 0], 'Gatekeeper'],
  ['leads__integration_links', [0], LINK],
  [
    'leads__addresses',
    [0],
    {
      ...{ label: text('business'), address_1: text('1 Kiln Lane'), city: text('Stoke') },
      ...{ state: text('CA'), zipcode: text('04105'), country: text('US') },
    },
  ],
  [
    'activities__attachments',
    [0],
    { filename: text('icon.png'), size: bigint(1450), content_type: text('image/png') },
  ],
  ['activities__references', [0], '<1@mail.example>'],
  ['activities__references', [1], '<2@mail.example>'],
  ['activities__message_ids', [0], '<3@mail.example>'],
  ['activities__to', [0], 'ada@mail.example'],
  ['activities__body_text_quoted', [0], { text: text('Sorry'), expand: ['boolean', 'true'] }],
  [
    'activities__body_html_quoted',
    [0],
    { html: text('<p>Sorry</p>'), expand: ['boolean', 'true'] },
  ],
  ['activities__envelope__from', [0], DAEMON],
  ['activities__envelope__sender', [0], DAEMON],
  // An empty text is a value.
  ['activities__envelope__to', [0], { email: text('ada@mail.example'), name: text('') }],
];

/** How each layout names a subtable's parent key and an element's fields. */
const NAMES = {
  stitch: { parent: 'id', prefix: 'items__' },
  'stitch-v2': { parent: '_sdc_source_key_id', prefix: '' },
} as const;

type Written = { columns: Record<string, string>; rows: Record<string, string>[] };

function rootTables(): Record<string, Written> {
  const ids = { leads: 'lead_A', activities: 'acti_A' } as const;
  return Object.fromEntries(
    Object.entries(ROOTS).map(([table, fields]) => [
      table,
      {
        columns: mapped(fields, ([type]) => type),
        rows: [{ id: ids[table as keyof typeof ids], ...mapped(fields, ([, value]) => value) }],
      },
    ]),
  );
}

function mapped(
  fields: Fields,
  part: (field: readonly [string, string]) => string,
  prefix = '',
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [prefix + name, part(field)]),
  );
}

function expectedTables(layout: 'stitch' | 'stitch-v2'): Record<string, TableContent> {
  const { parent, prefix } = NAMES[layout];
  const tables = rootTables();
  for (const [table, levels, fields] of ELEMENTS) {
    const written = (tables[table] ??= { columns: {}, rows: [] });
    const isScalar = typeof fields === 'string';
    const named: Fields = isScalar ? { value: text(fields) } : fields;
    Object.assign(
      written.columns,
      mapped(named, ([type]) => type, isScalar ? '' : prefix),
    );
    written.rows.push({
      [parent]: table.startsWith('leads') ? 'lead_A' : 'acti_A',
      ...Object.fromEntries(levels.map((at, level) => [`_sdc_level_${level}_id`, String(at)])),
      ...mapped(named, ([, value]) => value, isScalar ? '' : prefix),
    });
  }
  return tables;
}

async function load(layout: LayoutName): Promise<Warehouse> {
  const warehouse = await openWarehouse(layout);
  expect(await warehouse.load(LEADS, [lead])).toMatchObject({ inserted: 1, rejected: 0 });
  expect(await warehouse.load(ACTIVITIES, [mail])).toMatchObject({ inserted: 1, rejected: 0 });
  return warehouse;
}

async function primaryKeys(warehouse: Warehouse): Promise<Record<string, string>> {
  const rows = await warehouse.rows(
    `SELECT relname AS name, pg_get_constraintdef(k.oid) AS definition
       FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
      WHERE relnamespace = $1::regnamespace AND contype = 'p'`,
    [warehouse.schema],
  );
  return Object.fromEntries(rows.map(({ name, definition }) => [String(name), String(definition)]));
}

const NONE = { id: 'nobody' };

describe.each(['stitch', 'stitch-v2'] as const)('the worked example in layout %s', (layout) => {
  let warehouse: Warehouse;
  beforeAll(async () => {
    warehouse = await load(layout);
  });
  afterAll(() => warehouse.close());

  const expected = expectedTables(layout);

  it('has the tables of Stitch, and no other', async () => {
    const found = Object.keys(await readTables(warehouse, NONE));

    expect(found.sort()).toEqual(Object.keys(expected).sort());
    // Eleven rows of each, and the two that Stitch lost.
    const rows = Object.values(expected).map((table) => table.rows.length);
    expect(rows.reduce((a, b) => a + b)).toBe(24);
  });

  it.each(Object.keys(expected))('%s has its columns and rows', async (table) => {
    expect((await readTables(warehouse, NONE))[table]).toEqual(expected[table]);
  });

  it('has the keys of Stitch; of an append-only record, its version too', async () => {
    const { parent } = NAMES[layout];
    const keys = await primaryKeys(warehouse);

    expect(keys).toMatchObject({
      leads: 'PRIMARY KEY (id)',
      leads__opportunities: `PRIMARY KEY (${parent}, _sdc_level_0_id)`,
      leads__contacts: `PRIMARY KEY (${parent}, _sdc_level_0_id)`,
      leads__contacts__emails: `PRIMARY KEY (${parent}, _sdc_level_0_id, _sdc_level_1_id)`,
      activities: 'PRIMARY KEY (id, _sdc_sequence)',
      activities__to: `PRIMARY KEY (${parent}, _sdc_sequence, _sdc_level_0_id)`,
    });
    expect(Object.keys(keys).sort()).toEqual(Object.keys(expected).sort());
  });

  it("has Stitch's system columns in each table, one sequence for a record and its rows", async () => {
    const sequences = new Map<string, Set<unknown>>();
    for (const table of Object.keys(expected)) {
      const rows = await warehouse.table(
        table,
        '_sdc_sequence::text, _sdc_table_version, _sdc_received_at, _sdc_batched_at',
      );
      for (const { _sdc_sequence: sequence, ...row } of rows) {
        const stream = table.split('__')[0] as string;
        sequences.set(stream, (sequences.get(stream) ?? new Set()).add(sequence));
        expect(row).toEqual({
          _sdc_table_version: null,
          _sdc_received_at: '2026-01-02T03:04:05.678901Z',
          _sdc_batched_at: expect.any(String) as string,
        });
      }
    }
    expect([...sequences.values()].map(({ size }) => size)).toEqual([1, 1]);
  });

  it('gets the columns of what was null when a value comes', async () => {
    const won = { date_lost: '2021-08-01', contact_id: 'cont_1', contact_name: 'Ada' };
    const later = { ...lead, id: 'lead_B', opportunities: [won], url: 'https://b.example' };
    await warehouse.load(LEADS, [later]);

    const { prefix } = NAMES[layout];
    const { leads, leads__opportunities: opportunities } = await readTables(warehouse, NONE);
    expect(leads?.columns).toEqual({ ...expected['leads']?.columns, url: 'text' });
    expect(opportunities?.columns).toEqual({
      ...expected['leads__opportunities']?.columns,
      [`${prefix}date_lost`]: TIME,
      [`${prefix}contact_id`]: 'text',
      [`${prefix}contact_name`]: 'text',
    });
    // All that Stitch's page for Close.io names.
    expect(OPPORTUNITY_FIELDS).toHaveLength(25);
    expect(Object.keys(opportunities?.columns ?? {})).toEqual(
      expect.arrayContaining(OPPORTUNITY_FIELDS.map((field) => prefix + field)),
    );
  });
});

describe('the worked example in layout jsonb', () => {
  let warehouse: Warehouse;
  beforeAll(async () => {
    warehouse = await load('jsonb');
  });
  afterAll(() => warehouse.close());

  /** Arrays are columns, the empty ones too. */
  const arrays: Record<string, Record<string, JsonValue>> = {
    leads: arraysOf(lead),
    activities: arraysOf(mail),
  };

  it.each(Object.entries(rootTables()))('%s has the row, and arrays in it', async (table, root) => {
    const { columns, rows } = (await readTables(warehouse, NONE))[table] as TableContent;
    const nested = arrays[table] ?? {};

    expect(columns).toEqual({
      ...root.columns,
      ...Object.fromEntries(Object.keys(nested).map((name) => [name, 'jsonb'])),
    });
    const [row, ...others] = rows;
    expect(others).toEqual([]);
    const read = Object.entries(row ?? {}).map(([name, value]) => [
      name,
      columns[name] === 'jsonb' ? (JSON.parse(value) as JsonValue) : value,
    ]);
    expect(Object.fromEntries(read)).toEqual({ ...root.rows[0], ...nested });
  });

  it('has no other table, and the keys of the others', async () => {
    expect(await primaryKeys(warehouse)).toEqual({
      leads: 'PRIMARY KEY (id)',
      activities: 'PRIMARY KEY (id, _sdc_sequence)',
    });
  });
});

/** As any reader of JSON sees it. */
function plain(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}

function arraysOf(record: JsonRecord, prefix = ''): Record<string, JsonValue> {
  const found: Record<string, JsonValue> = {};
  for (const [field, value] of Object.entries(record)) {
    if (Array.isArray(value)) found[prefix + field] = plain(value as JsonValue);
    else if (field === 'envelope')
      Object.assign(found, arraysOf(value as JsonRecord, 'envelope__'));
  }
  return found;
}

it('is tested in every layout that there is', () => {
  expect(Object.keys(LAYOUTS)).toEqual(['stitch', 'stitch-v2', 'jsonb']);
});
