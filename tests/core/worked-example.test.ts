import { describe, expect, it } from 'vitest';
import { foldCustomFields } from '../../src/core/custom-fields.js';
import { denest, type Row } from '../../src/core/denest.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { JsonRecord } from '../../src/core/record.js';
import { Schema } from '../../src/core/schema.js';
import type { StreamShape } from '../../src/core/stream.js';
import { APPENDED, UPSERTED } from './streams.js';

/**
 * A lead and a bounced mail with all that Close nests in them, and the tables that Stitch made of
 * such records: what README promises to people who come from there.
 */
const lead: JsonRecord = {
  id: 'lead_A',
  name: 'Marsh Pottery',
  display_name: 'Marsh Pottery',
  url: null,
  description: null,
  status_id: 'stat_1',
  status_label: 'Interested',
  date_created: '2021-07-05T11:39:00.850000+00:00',
  date_updated: '2022-11-08T16:28:54.174000+00:00',
  tasks: [],
  addresses: [{ address_1: '1 Kiln Lane', city: 'Stoke', zipcode: '04105', label: 'business' }],
  integration_links: [{ name: 'Search', url: 'https://example.com/?q=pottery' }],
  contacts: [
    {
      id: 'cont_1',
      name: 'Ada',
      title: 'Potter',
      emails: [{ email: 'ada@example.com', type: 'office' }],
      phones: [{ phone: '+15550100', country: 'US', type: 'office' }],
      urls: [],
      integration_links: [{ name: 'Search', url: 'https://example.com/?q=ada' }],
      'custom.cf_role': ['Gatekeeper'],
    },
    {
      id: 'cont_2',
      name: 'Bo',
      title: 'Glazer (deputy)',
      emails: [{ email: 'bo@example.com', type: 'office' }],
      phones: [],
      urls: [],
      integration_links: [{ name: 'Search', url: 'https://example.com/?q=bo' }],
      'custom.cf_role': ['Gatekeeper'],
    },
  ],
  opportunities: [
    {
      id: 'oppo_1',
      value: 300000,
      value_formatted: '$3,000',
      value_currency: 'USD',
      value_period: 'one_time',
      confidence: 75,
      status_id: 'stat_2',
      status_label: 'Demo done',
      status_type: 'active',
      date_won: '2021-07-16',
      date_lost: null,
      contact_id: null,
      lead_id: 'lead_A',
      note: 'Wants a second kiln.',
      date_created: '2021-07-13T11:39:04.817000+00:00',
      date_updated: '2021-07-13T11:39:04.817000+00:00',
    },
  ],
  custom: { Industry: 'Crafts', 'Current Vendor/Software': 'Mud & Co' },
  'custom.cf_industry': 'Crafts',
  'custom.cf_vendor': 'Mud & Co',
};

const mail: JsonRecord = {
  id: 'acti_A',
  _type: 'Email',
  direction: 'incoming',
  subject: 'Delivery failed',
  sender: 'Daemon <daemon@example.net>',
  to: ['ada@example.com'],
  cc: [],
  bcc: [],
  opens: [],
  send_attempts: [],
  users: [],
  template_id: null,
  need_smtp_credentials: false,
  references: ['<1@example.net>', '<2@example.net>'],
  message_ids: ['<3@example.net>'],
  attachments: [{ filename: 'icon.png', size: 1450, content_type: 'image/png' }],
  body_text_quoted: [{ text: 'It did not arrive.', expand: true }],
  body_html_quoted: [{ html: '<p>It did not arrive.</p>', expand: true }],
  envelope: {
    from: [{ email: 'daemon@example.net', name: 'Daemon' }],
    sender: [{ email: 'daemon@example.net', name: 'Daemon' }],
    to: [{ email: 'ada@example.com', name: '' }],
    cc: [],
    bcc: [],
    reply_to: [],
    subject: 'Delivery failed',
    message_id: '<3@example.net>',
    date: 'Tue, 08 Nov 2022 08:09:09 -0800 (PST)',
    in_reply_to: '<4@example.net>',
    is_autoreply: true,
  },
  date_created: '2022-11-08T16:09:09+00:00',
  date_updated: '2022-11-08T16:28:54.140000+00:00',
};

const field = (id: string, label: string) =>
  [id, { id, label, currentName: label, type: 'text' }] as const;
const fields = new Map([
  [
    'lead',
    new Map([field('cf_industry', 'Industry'), field('cf_vendor', 'Current Vendor/Software')]),
  ],
  ['contact', new Map([field('cf_role', 'Role')])],
]);
const families = { own: 'lead', nested: { contacts: 'contact' } };

function rowsOf(record: JsonRecord, stream: StreamShape, layout: LayoutName): readonly Row[] {
  const result = denest(foldCustomFields(record, families, fields), stream, LAYOUTS[layout]);
  if ('reject' in result) throw new Error(result.reject.reason);
  return result.rows;
}

/** The warehouse after these rows, with the system columns that the destination keeps for itself. */
function schemaOf(rows: readonly Row[], layout: LayoutName): Schema {
  const key = LAYOUTS[layout].parentKeyColumn('id');
  const schema = new Schema({
    reservedColumns: (levels) => [levels === 0 ? 'id' : key, '_sdc_sequence'],
    reservedTables: [],
    versionField: () => 'date_updated',
  });
  schema.add(rows);
  return schema;
}

function countByTable(rows: readonly Row[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { tableName } of rows) counts[tableName] = (counts[tableName] ?? 0) + 1;
  return counts;
}

describe.each(['stitch', 'stitch-v2'] as const)('in layout %s', (layout) => {
  it('a lead makes the tables and rows that Stitch made', () => {
    expect(countByTable(rowsOf(lead, UPSERTED, layout))).toEqual({
      leads: 1,
      leads__opportunities: 1,
      leads__contacts: 2,
      leads__contacts__emails: 2,
      leads__contacts__phones: 1,
      leads__contacts__integration_links: 2,
      leads__integration_links: 1,
      leads__addresses: 1,
      // Stitch lost this one: by its field's id, its name is longer than a name can be.
      leads__contacts__custom__Role: 2,
    });
  });

  it('a mail makes the tables and rows that Stitch made', () => {
    expect(countByTable(rowsOf(mail, APPENDED, layout))).toEqual({
      activities: 1,
      activities__attachments: 1,
      activities__references: 2,
      activities__message_ids: 1,
      activities__to: 1,
      activities__body_text_quoted: 1,
      activities__body_html_quoted: 1,
      activities__envelope__from: 1,
      activities__envelope__sender: 1,
      activities__envelope__to: 1,
    });
  });

  it('no column is made for what was null in every record', () => {
    const rows = [...rowsOf(lead, UPSERTED, layout), ...rowsOf(mail, APPENDED, layout)];

    const schema = schemaOf(rows, layout);

    const paths = ['leads', 'leads/opportunities', 'activities'].flatMap(
      (table) => schema.table(table)?.columns.map(({ path }) => path) ?? [],
    );
    for (const absent of ['url', 'description', 'date_lost', 'contact_id', 'template_id']) {
      expect(paths).not.toContain(absent);
    }
  });
});

function columnsOf(record: JsonRecord, stream: StreamShape, table: string): string[] {
  const schema = schemaOf(rowsOf(record, stream, 'stitch'), 'stitch');
  const columns = schema.table(table)?.columns ?? [];
  return columns.map(({ name, type }) => `${name} ${type}`).sort();
}

describe('the columns', () => {
  it('of leads are those of its plain fields, and one for each custom field', () => {
    expect(columnsOf(lead, UPSERTED, 'leads')).toEqual([
      'custom__Current Vendor/Software text',
      'custom__Industry text',
      'date_created timestamptz',
      'date_updated timestamptz',
      'display_name text',
      'name text',
      'status_id text',
      'status_label text',
    ]);
  });

  it('of leads__opportunities are prefixed, since id is the key of the lead', () => {
    expect(columnsOf(lead, UPSERTED, 'leads/opportunities')).toEqual([
      'items__confidence bigint',
      'items__date_created timestamptz',
      'items__date_updated timestamptz',
      'items__date_won timestamptz',
      'items__id text',
      'items__lead_id text',
      'items__note text',
      'items__status_id text',
      'items__status_label text',
      'items__status_type text',
      'items__value bigint',
      'items__value_currency text',
      'items__value_formatted text',
      'items__value_period text',
    ]);
  });

  it('of an address keep its leading zero', () => {
    expect(columnsOf(lead, UPSERTED, 'leads/addresses')).toContain('items__zipcode text');
  });

  it('of activities hold the envelope, its date as the sender wrote it', () => {
    expect(columnsOf(mail, APPENDED, 'activities')).toEqual([
      '_type text',
      'date_created timestamptz',
      'date_updated timestamptz',
      'direction text',
      'envelope__date text',
      'envelope__in_reply_to text',
      'envelope__is_autoreply boolean',
      'envelope__message_id text',
      'envelope__subject text',
      'need_smtp_credentials boolean',
      'sender text',
      'subject text',
    ]);
  });

  it('of a list of plain values are one, called value', () => {
    expect(columnsOf(mail, APPENDED, 'activities/references')).toEqual(['value text']);
    expect(columnsOf(lead, UPSERTED, 'leads/contacts/custom.Role')).toEqual(['value text']);
  });

  it('of an empty name are made: an empty text is a value', () => {
    expect(columnsOf(mail, APPENDED, 'activities/envelope.to')).toEqual([
      'items__email text',
      'items__name text',
    ]);
  });
});

it('puts each subtable row where its element was', () => {
  const places = rowsOf(lead, UPSERTED, 'stitch')
    .filter(({ tableName }) => /emails|phones|Role/.test(tableName))
    .map(({ tableName, levels, cells }) => [tableName, ...levels, cells[0]?.value]);

  expect(places.map((place) => place.join(' ')).sort()).toEqual([
    'leads__contacts__custom__Role 0 0 Gatekeeper',
    'leads__contacts__custom__Role 1 0 Gatekeeper',
    'leads__contacts__emails 0 0 ada@example.com',
    'leads__contacts__emails 1 0 bo@example.com',
    'leads__contacts__phones 0 0 US',
  ]);
});
