import pg from 'pg';
import type {
  WarehouseColumn,
  WarehouseRelation,
  WarehouseSchema,
} from '../core/warehouse-schema.js';
import { ClosehaulError } from '../errors.js';
import { query } from './pool.js';
import { REJECTED_TABLE } from './rejects.js';
import { qualified, viewName } from './statements.js';

/**
 * What PostgreSQL's catalogue says of a connection's warehouse: tables, views, columns, comments,
 * keys, indexes. Tables that somebody else made in the schema are left out. Row numbers are the
 * planner's estimates, or counted when `isCounted`; a view has none. Throws CONNECTION_UNKNOWN.
 */
export async function describeWarehouse(
  pool: pg.Pool,
  schema: string,
  { isCounted }: { readonly isCounted: boolean },
): Promise<WarehouseSchema> {
  const tables = await tablesOf(pool, schema);
  const names = new Set(tables.map(({ name }) => name));
  const wanted = tables.flatMap(({ name }) => [name, viewName(name, names)]);
  const found = await query<FoundRelation>(pool, DESCRIBE, [schema, wanted]);
  const byName = new Map(found.map((relation) => [relation.name, relation]));
  const relations = tables.flatMap(({ name, kind, stream }): WarehouseRelation[] => {
    const table = byName.get(name);
    if (table === undefined) return [];
    const view = byName.get(viewName(name, names));
    // Only tables that hold all versions have a view of the latest ones.
    const isVersioned = view !== undefined && table.key.includes(VERSION);
    const syncedAtQuery = kind === 'root' ? syncedAt(schema, stream) : null;
    return [{ ...table, kind, syncedAtQuery }, ...(isVersioned ? [viewOf(view, table)] : [])];
  });
  const comment = await query<{ comment: string | null }>(
    pool,
    `SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  return {
    name: schema,
    comment: comment[0]?.comment ?? null,
    relations: isCounted ? await counted(pool, schema, relations) : relations,
  };
}

const VERSION = '_sdc_sequence';

interface OwnTable {
  readonly name: string;
  readonly kind: 'root' | 'subtable' | 'rejects';
  readonly stream: string;
}

interface FoundRelation extends pg.QueryResultRow {
  readonly name: string;
  readonly needsQuotes: boolean;
  readonly comment: string | null;
  readonly columns: readonly WarehouseColumn[];
  readonly key: readonly string[];
  readonly uniqueConstraints: readonly (readonly string[])[];
  readonly indexes: readonly { readonly name: string; readonly definition: string }[];
  readonly rows: number | null;
}

const CONSTRAINED_COLUMNS = `
  SELECT json_agg(a.attname ORDER BY k.place)
    FROM unnest(o.conkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number`;

/** `$1` the schema, `$2` the names of what to describe. */
const DESCRIBE = `
SELECT c.relname AS name,
       quote_ident(c.relname) <> c.relname AS "needsQuotes",
       obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind = 'r' AND c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
       (SELECT json_agg(json_build_object(
                 'name', a.attname, 'needsQuotes', quote_ident(a.attname) <> a.attname,
                 'type', format_type(a.atttypid, a.atttypmod), 'isNotNull', a.attnotnull,
                 'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
          FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       coalesce((SELECT (${CONSTRAINED_COLUMNS}) FROM pg_constraint o
                  WHERE o.conrelid = c.oid AND o.contype = 'p'), '[]') AS key,
       coalesce((SELECT json_agg((${CONSTRAINED_COLUMNS}) ORDER BY o.conname) FROM pg_constraint o
                  WHERE o.conrelid = c.oid AND o.contype = 'u'), '[]') AS "uniqueConstraints",
       coalesce((SELECT json_agg(json_build_object(
                   'name', x.relname,
                   'definition', regexp_replace(pg_get_indexdef(x.oid), '^.*? USING ', ''))
                   ORDER BY x.relname)
                   FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                  WHERE i.indrelid = c.oid
                    AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.oid)),
                '[]') AS indexes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = ANY($2) AND c.relkind IN ('r', 'v')`;

async function tablesOf(pool: pg.Pool, schema: string): Promise<readonly OwnTable[]> {
  const [state] = await query<{ there: boolean }>(
    pool,
    `SELECT to_regclass('closehaul.connections') IS NOT NULL AS there`,
  );
  const known = state?.there
    ? await query(pool, 'SELECT FROM closehaul.connections WHERE schema_name = $1', [schema])
    : [];
  if (known.length === 0) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
  const tables = await query<{ name: string; levels: number; stream: string }>(
    pool,
    `SELECT table_name AS name, levels, stream FROM closehaul.warehouse_tables
      WHERE schema_name = $1 ORDER BY stream DESC, levels, table_name COLLATE "C"`,
    [schema],
  );
  const own = tables.map(({ name, levels, stream }): OwnTable => ({
    ...{ name, stream },
    kind: levels === 0 ? 'root' : 'subtable',
  }));
  return [...own, { name: REJECTED_TABLE, kind: 'rejects', stream: '' }];
}

/** A list that nobody changes is as fresh as its last sync, whatever the age of its rows. */
function syncedAt(schema: string, stream: string): string {
  return (
    `SELECT max(last_success_at) FROM closehaul.sync_status ` +
    `WHERE schema = ${pg.escapeLiteral(schema)} AND stream = ${pg.escapeLiteral(stream)}`
  );
}

/** Its columns are the table's, and so are their comments; the key is the table's without versions. */
function viewOf(view: FoundRelation, table: FoundRelation): WarehouseRelation {
  const comments = new Map(table.columns.map(({ name, comment }) => [name, comment]));
  const columns = view.columns.map((column) => ({
    ...column,
    comment: column.comment ?? comments.get(column.name) ?? null,
  }));
  const key = table.key.filter((column) => column !== VERSION);
  return { ...view, kind: 'view', columns, key, syncedAtQuery: null };
}

async function counted(
  pool: pg.Pool,
  schema: string,
  relations: readonly WarehouseRelation[],
): Promise<readonly WarehouseRelation[]> {
  const all: WarehouseRelation[] = [];
  for (const relation of relations) {
    // A view of latest versions sorts all of them first, and one for each subtable does it again.
    if (relation.kind === 'view') {
      all.push(relation);
      continue;
    }
    const [row] = await query<{ rows: number }>(
      pool,
      `SELECT count(*) AS rows FROM ${qualified(schema, relation.name)}`,
    );
    all.push({ ...relation, rows: row?.rows ?? 0 });
  }
  return all;
}
