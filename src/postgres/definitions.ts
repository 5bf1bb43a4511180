import type pg from 'pg';
import type { CustomFields } from '../core/custom-fields.js';
import type { Column, Schema, SchemaChange, Table } from '../core/schema.js';
import type { StreamShape } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import * as comments from './comments.js';
import { sqlstateOf } from './sqlstate.js';
import * as sql from './statements.js';

/**
 * The DDL of one warehouse schema: tables, columns, indexes, views and comments, made inside the
 * transaction that stores their names.
 */
export interface DefinitionContext {
  readonly client: pg.PoolClient;
  readonly schemaName: string;
  readonly schema: Schema;
  readonly fields: CustomFields;
  readonly shapeOf: (table: Table) => sql.TableShape;
  readonly streamOf: (name: string) => StreamShape;
}

/** Makes a change of names true. Throws WAREHOUSE_NAME_TAKEN for a table that is not ours. */
export async function define(context: DefinitionContext, change: SchemaChange): Promise<void> {
  const { client, schemaName } = context;
  const { table, columns } = change;
  if (change.isNew) {
    await makeTable(context, table);
    await client.query(
      `INSERT INTO closehaul.warehouse_tables (schema_name, path, stream, table_name, levels)
       VALUES ($1, $2, $3, $4, $5)`,
      [schemaName, table.path, table.stream, table.name, table.levels],
    );
  } else if (sql.realColumns(columns).length > 0) {
    await client.query(sql.addColumns(context.shapeOf(table), sql.realColumns(columns)));
  }
  await client.query(
    `INSERT INTO closehaul.warehouse_columns (schema_name, table_path, path, type, column_name, place)
     SELECT $1, $2, r.path, r.type, r.name, r.place
       FROM json_to_recordset($3::json) AS r(path text, type text, name text, place text)
     ON CONFLICT (schema_name, table_path, path, type) DO UPDATE SET place = excluded.place`,
    [schemaName, table.path, JSON.stringify(columns)],
  );
  await finish(context, table, columns);
}

/** Makes again what is missing of a table; what is there stays as it is. */
export async function restore(
  context: DefinitionContext,
  table: Table,
  there: ReadonlySet<string> | undefined,
): Promise<void> {
  const shape = context.shapeOf(table);
  if (there === undefined) await makeTable(context, table);
  const columns = [...sql.systemColumns(shape), ...sql.realColumns(table.columns)];
  const missing = columns.filter(({ name }) => there !== undefined && !there.has(name));
  if (missing.length > 0) await context.client.query(sql.addColumns(shape, missing));
  await finish(context, table, table.columns);
}

async function makeTable(context: DefinitionContext, table: Table): Promise<void> {
  const shape = context.shapeOf(table);
  const { client, schemaName: schema } = context;
  await refuseTaken({ schema, name: table.name }, () =>
    client.query(sql.createTable(shape, table.columns)),
  );
  const described = describedOf(context, table);
  await client.query(
    [comments.commentOnTable(described), ...comments.commentsOnSystemColumns(described)].join(
      ';\n',
    ),
  );
}

/** What comes with columns: their comments, their indexes, and the view of the latest versions. */
async function finish(
  context: DefinitionContext,
  table: Table,
  columns: readonly Column[],
): Promise<void> {
  const { client, schemaName: schema } = context;
  const shape = context.shapeOf(table);
  const statements = comments.commentsOnColumns(describedOf(context, table), columns);
  const indexed = columns.filter(({ path, place }) => place === 'column' && isIndexed(shape, path));
  const indexes = indexed.map(({ name }) => sql.createIndex(shape, name));
  if (statements.length > 0) await client.query([...statements, ...indexes].join(';\n'));
  if (shape.loading !== 'append') return;
  const tables = new Set(context.schema.all().map(({ name }) => name));
  const root = context.schema.table(table.stream) ?? table;
  const [rootView, view] = [root, table].map((each) => ({
    ...context.shapeOf(each),
    viewName: sql.viewName(each.name, tables),
  })) as [sql.ViewedTable, sql.ViewedTable];
  // A view cannot follow its table by itself; OR REPLACE takes the new columns at its end.
  await refuseTaken({ schema, name: view.viewName }, () =>
    client.query(
      `${sql.currentView(rootView, view)};\n${comments.commentOnView(schema, view.viewName, table.name)}`,
    ),
  );
}

/** What people filter and join by, beside the keys. */
function isIndexed(shape: sql.TableShape, path: string): boolean {
  return shape.kind === 'root' && (path === shape.versionColumn || path === 'lead_id');
}

/** Duplicate table; a table where a view of ours should be; a view of other columns. */
const TAKEN = ['42P07', '42809', '42P16'];

async function refuseTaken(
  values: { readonly schema: string; readonly name: string },
  make: () => Promise<unknown>,
): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!TAKEN.includes(sqlstateOf(error))) throw error;
    throw new ClosehaulError('WAREHOUSE_NAME_TAKEN', values, { cause: error });
  }
}

/** Writes the comments on custom fields anew, after their definitions changed in Close. */
export async function describeCustomFields(context: DefinitionContext): Promise<void> {
  const texts = context.schema.all().flatMap((table) => {
    const described = describedOf(context, table);
    return comments.commentsOnColumns(
      described,
      table.columns.filter(({ path }) => path.startsWith('custom.') || path === '[]'),
    );
  });
  if (texts.length > 0) await context.client.query(texts.join(';\n'));
}

function describedOf(context: DefinitionContext, table: Table): comments.Described {
  const { fields } = context;
  return { shape: context.shapeOf(table), table, stream: context.streamOf(table.stream), fields };
}

/** The columns that are there, ours and others', by table or view. */
export async function columnsThere(
  client: pg.PoolClient,
  schemaName: string,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.relname::text AS name, array_agg(a.attname::text) AS columns
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
      GROUP BY c.relname`,
    [schemaName],
  );
  return new Map(rows.map(({ name, columns }) => [name, new Set(columns)]));
}
