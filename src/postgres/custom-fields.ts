import type pg from 'pg';
import { query } from './pool.js';

export interface CustomField {
  readonly id: string;
  /** Whose field it is (`lead`, `contact`, …); empty when its definition may not be read. */
  readonly family: string;
  readonly label: string;
}

/** Labels by field id, as they were kept. */
export async function readCustomFieldLabels(
  pool: pg.Pool,
  schema: string,
): Promise<ReadonlyMap<string, string>> {
  const rows = await query<{ field_id: string; label: string }>(
    pool,
    'SELECT field_id, label FROM closehaul.custom_fields WHERE schema_name = $1',
    [schema],
  );
  return new Map(rows.map(({ field_id, label }) => [field_id, label]));
}

/**
 * Keeps the label that each custom field has when it is first seen and returns all that are kept: a
 * column is named by it for ever, so a field that is renamed in Close keeps its column. Of two
 * fields with one label, the second one seen has its id beside the label.
 */
export async function keepCustomFieldLabels(
  pool: pg.Pool,
  schema: string,
  fields: readonly CustomField[],
): Promise<ReadonlyMap<string, string>> {
  await insert(pool, schema, fields);
  const kept = await readCustomFieldLabels(pool, schema);
  const clashing = fields.filter(({ id }) => !kept.has(id));
  if (clashing.length === 0) return kept;
  const apart = clashing.map((field) => ({ ...field, label: `${field.label} ${field.id}` }));
  await insert(pool, schema, apart);
  return readCustomFieldLabels(pool, schema);
}

async function insert(
  pool: pg.Pool,
  schema: string,
  fields: readonly CustomField[],
): Promise<void> {
  await query(
    pool,
    `INSERT INTO closehaul.custom_fields (schema_name, field_id, family, label)
     SELECT $1, r.id, r.family, r.label
       FROM json_to_recordset($2::json) AS r(id text, family text, label text)
     ON CONFLICT DO NOTHING`,
    [schema, JSON.stringify(fields)],
  );
}
