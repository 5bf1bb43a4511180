import { readFileSync } from 'node:fs';
import type { CloseStream } from '../../src/close/stream-part.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { foldCustomFields } from '../../src/core/custom-fields.js';
import type { LayoutName } from '../../src/core/layout.js';
import type { CustomFieldDefinition } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { keepCustomFields, type FamilyRead } from '../../src/postgres/custom-fields.js';
import { at, FROM, openWarehouse, SCHEMA, type Place, type Warehouse } from './warehouse.js';
import { bouncedMail, exampleLead } from './worked-example.js';

/**
 * The warehouse that docs/warehouse.md shows and that dbt is run against: the sample record of each
 * stream, the worked example, and a few records that show what else can happen to a table.
 */
export async function documentedWarehouse(
  layout: LayoutName,
  place: Omit<Place, 'streams'> = {},
): Promise<Warehouse> {
  const { schema = SCHEMA } = place;
  const warehouse = await openWarehouse(layout, { ...place, streams: CLOSE_STREAMS });
  const { pool, catalog } = warehouse;
  const { fields } = await keepCustomFields(pool, schema, reads(DEFINITIONS), FROM);
  for (const stream of CLOSE_STREAMS) {
    const records = [sampleOf(stream), ...(MORE[stream.name] ?? [])];
    const families = stream.customFields;
    for (const record of records) {
      const folded = families === null ? record : foldCustomFields(record, families, fields);
      await warehouse.load(stream, [folded]);
    }
  }
  // Somebody renames a field in Close.
  const renamed = { ...DEFINITIONS, lead: [...DEFINITIONS.lead.slice(0, -1), RENAMED] };
  await keepCustomFields(pool, schema, reads(renamed), FROM);
  await catalog.describe();
  return warehouse;
}

/** What Close says of the custom fields in the sample records. */
const DEFINITIONS = {
  lead: [
    { id: 'cf_SUN0koa81xn2iwgOSOYyXFtkQR8r8A7lZlVgYArc5vw', name: 'Products', type: 'choices' },
    { id: 'cf_yDKAhfd2A5zrGfjkIenUpfnKeEHIqRzZKiGtjshlDTM', name: 'Account owner', type: 'user' },
    { id: 'cf_gDv4mdR3eJYhPpP4EHgb4dIjImCX0Axr4dqjLOUc3Or', name: 'Nickname(s)', type: 'text' },
    { id: 'cf_tRPU0d34NRmsTEpcrB6DzeVBqsewkVgm34UOv9W8buZ', name: 'Background', type: 'textarea' },
    { id: 'cf_I0KRw0P9Lq2tEkeKYnFibGQqMJEaaeYTKPnazx7Mov1', name: 'Contract signed', type: 'date' },
  ],
  contact: [
    { id: 'cf_jAUMXWetNY0woY73tZYObeeTrU9D2XLt5p6L9Q1Ne1O', name: 'Language', type: 'choices' },
    { id: 'cf_J6Otg5Bp0BOwuj4U1ZZF9kp8r7pmHkzv62FtLraTpmf', name: 'Interests', type: 'text' },
  ],
  opportunity: [
    { id: 'cf_OUg2hAbVIExCQR1MfQI4iiYGpzUykjSesgUodA2Ghib', name: 'Seats', type: 'number' },
    { id: 'cf_CKicixH2ligtGyW4dfwcDb4FuES5G0hWkvjujREWxnA', name: 'Renewal', type: 'date' },
    { id: 'cf_U2a3Rin8nUpTd8OPLhgoaZS3Y796mTKcdwxmf054qAn', name: 'Champion', type: 'text' },
  ],
} as const satisfies Record<string, readonly CustomFieldDefinition[]>;
const RENAMED = { ...DEFINITIONS.lead[4], name: 'Date of contract' };

function reads(families: Record<string, readonly CustomFieldDefinition[]>): FamilyRead[] {
  return Object.entries(families).map(([family, definitions]) => ({
    ...{ family, definitions },
    seen: new Set(),
  }));
}

/** A field that was a whole number and is now a fraction, and one whose name Stitch reserves. */
const leads: readonly JsonRecord[] = [
  exampleLead,
  { id: 'lead_small', date_updated: at(1), name: 'Mona', custom: { Age: 41 } },
  { id: 'lead_large', date_updated: at(2), name: 'Ada', custom: { Age: 41.5 } },
  { id: 'lead_refused', date_updated: at(3), name: 'Ben', _sdc_note: 'reserved' },
];

const call: JsonRecord = {
  ...{ id: 'acti_call', _type: 'Call', lead_id: 'lead_example', user_id: 'user_1' },
  ...{ user_name: 'Ada', direction: 'outbound', date_created: at(10) },
};

/** A mail, and a call that was read while it ran and again when it had ended. */
const activities: readonly JsonRecord[] = [
  bouncedMail,
  { ...call, date_updated: at(10), status: 'in-progress', duration: 0 },
  { ...call, date_updated: at(50), status: 'completed', duration: 40 },
];

const MORE: Readonly<Record<string, readonly JsonRecord[]>> = { leads, activities };

function sampleOf({ name }: CloseStream): JsonRecord {
  const file = new URL(`../fixtures/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as JsonRecord;
}
