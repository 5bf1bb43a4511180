import type pg from 'pg';
import { keepFields, type CustomField, type CustomFields } from '../core/custom-fields.js';
import type { Instant } from '../core/instant.js';
import type { CustomFieldDefinition } from '../core/ports.js';
import { inTransaction } from './pool.js';
import { databaseError } from './sqlstate.js';
import { takeFields } from './statements.js';

/** The custom fields of a connection, and when their definitions were read last. */
export interface KeptCustomFields {
  readonly fields: CustomFields;
  readonly readAt: Instant | null;
}

/** What Close told of one family, and the ids that its records hold. */
export interface FamilyRead {
  readonly family: string;
  /** Null when this key may not read them. */
  readonly definitions: readonly CustomFieldDefinition[] | null;
  readonly seen: ReadonlySet<string>;
}

interface StoredField {
  readonly id: string;
  readonly family: string;
  readonly label: string;
  readonly currentName: string | null;
  readonly type: string | null;
}

/** Throws the errors of the catalogue, also inside a transaction of the caller's. */
export async function readCustomFields(
  database: pg.Pool | pg.PoolClient,
  schema: string,
): Promise<KeptCustomFields> {
  try {
    const connection = await database.query<{ readAt: Instant | null }>(
      `SELECT custom_fields_read_at AS "readAt" FROM closehaul.connections WHERE schema_name = $1`,
      [schema],
    );
    const { rows } = await database.query<StoredField>(
      `SELECT field_id AS id, family, label, current_name AS "currentName", type
         FROM closehaul.custom_fields WHERE schema_name = $1`,
      [schema],
    );
    const fields = new Map<string, Map<string, CustomField>>();
    for (const { family, ...field } of rows) {
      const ofFamily = fields.get(family) ?? new Map<string, CustomField>();
      fields.set(family, ofFamily.set(field.id, field));
    }
    return { fields, readAt: connection.rows[0]?.readAt ?? null };
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Keeps what was read of custom fields, one worker after the other: of two that meet two fields of one
 * name, the second sees what the first one gave. Says whether anything changed.
 */
export async function keepCustomFields(
  pool: pg.Pool,
  schema: string,
  families: readonly FamilyRead[],
  readAt: Instant,
): Promise<KeptCustomFields & { readonly hasChanged: boolean }> {
  const keep = async (
    client: pg.PoolClient,
  ): Promise<KeptCustomFields & { readonly hasChanged: boolean }> => {
    const { fields } = await readCustomFields(client, schema);
    const changed = families.flatMap(({ family, definitions, seen }) =>
      keepFields(fields.get(family) ?? new Map(), definitions, seen).map((field) => ({
        ...field,
        family,
      })),
    );
    await client.query(
      `INSERT INTO closehaul.custom_fields (schema_name, field_id, family, label, current_name, type)
       SELECT $1, r.id, r.family, r.label, r."currentName", r.type
         FROM json_to_recordset($2::json)
              AS r(id text, family text, label text, "currentName" text, type text)
       ON CONFLICT (schema_name, family, field_id) DO UPDATE
         SET current_name = excluded.current_name, type = excluded.type`,
      [schema, JSON.stringify(changed)],
    );
    await client.query(
      'UPDATE closehaul.connections SET custom_fields_read_at = $2 WHERE schema_name = $1',
      [schema, readAt],
    );
    return { ...(await readCustomFields(client, schema)), hasChanged: changed.length > 0 };
  };
  try {
    return await inTransaction(pool, keep, takeFields(schema));
  } catch (error) {
    throw databaseError(error);
  }
}
