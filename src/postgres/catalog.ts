import pg from 'pg';
import type { Row } from '../core/denest.js';
import { LAYOUTS, type Layout, type LayoutName } from '../core/layout.js';
import { Schema, type Column, type SchemaChange, type Table } from '../core/schema.js';
import type { StreamShape } from '../core/stream.js';
import type { ColumnType } from '../core/typing.js';
import { inTransaction, query, quote } from './pool.js';
import { databaseError } from './sqlstate.js';
import * as sql from './statements.js';

/**
 * The warehouse schema of one connection, and the only place where DDL happens: under an advisory
 * lock, in a transaction of its own before the page's, so two workers that meet a new field at the
 * same time make one column. What a field's column is called is stored in schema `closehaul`.
 */
export class Catalog {
  private current: { readonly schema: Schema; readonly version: number };
  private readonly streams: ReadonlyMap<string, StreamShape>;
  readonly layout: Layout;

  private constructor(
    private readonly pool: pg.Pool,
    readonly name: string,
    layout: LayoutName,
    streams: readonly StreamShape[],
  ) {
    this.layout = LAYOUTS[layout];
    this.streams = new Map(streams.map((stream) => [stream.name, stream]));
    this.current = { schema: this.emptySchema(), version: -1 };
  }

  static async open(
    pool: pg.Pool,
    name: string,
    layout: LayoutName,
    streams: readonly StreamShape[],
  ): Promise<Catalog> {
    const catalog = new Catalog(pool, name, layout, streams);
    await inTransaction(pool, (client) => catalog.reload(client)).catch(rethrow);
    return catalog;
  }

  get schema(): Schema {
    return this.current.schema;
  }

  /** Grows with each change of names, in memory and in the database alike. */
  get version(): number {
    return this.current.version;
  }

  /** Makes whatever tables and columns `rows` need. */
  async prepare(rows: readonly Row[]): Promise<void> {
    if (!rows.some((row) => this.schema.lacks(row))) return;
    await this.change((schema) => schema.add(rows.filter((row) => schema.lacks(row))));
  }

  /** Makes again what somebody dropped by hand. */
  async repair(): Promise<void> {
    await this.change((schema) =>
      schema.all().map((table) => ({ table, isNew: true, columns: table.columns })),
    );
  }

  /** Reads the names anew when another worker has added some. */
  async refresh(): Promise<void> {
    await inTransaction(this.pool, (client) => this.reload(client)).catch(rethrow);
  }

  shape(table: Table): sql.TableShape {
    const stream = this.streamOf(table.stream);
    const isRoot = table.levels === 0;
    return {
      schema: this.name,
      name: table.name,
      kind: isRoot ? 'root' : 'subtable',
      loading: stream.loading,
      keyColumn: isRoot ? stream.key : this.layout.parentKeyColumn(stream.key),
      levels: table.levels,
      versionColumn: stream.versionField,
    };
  }

  private async change(plan: (schema: Schema) => readonly SchemaChange[]): Promise<void> {
    try {
      await inTransaction(this.pool, async (client) => {
        await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
          `closehaul ddl ${this.name}`,
        ]);
        await this.reload(client);
        for (const change of plan(this.schema)) await this.apply(client, change);
        const { rows } = await client.query<{ version: number }>(
          `UPDATE closehaul.connections SET catalog_version = catalog_version + 1
            WHERE schema_name = $1 RETURNING catalog_version AS version`,
          [this.name],
        );
        this.current = { schema: this.schema, version: rows[0]?.version ?? 0 };
      });
    } catch (error) {
      // What was added in memory may not be in the database.
      this.current = { schema: this.emptySchema(), version: -1 };
      throw databaseError(error);
    }
  }

  private async apply(client: pg.PoolClient, change: SchemaChange): Promise<void> {
    const { table, columns } = change;
    const shape = this.shape(table);
    if (change.isNew) {
      await client.query(sql.createTable(shape));
      await client.query(
        `INSERT INTO closehaul.warehouse_tables (schema_name, path, stream, table_name, levels)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        [this.name, table.path, table.stream, table.name, table.levels],
      );
    }
    if (columns.length > 0) await this.addColumns(client, shape, table, columns);
    if (shape.loading === 'append') {
      const root = this.schema.table(table.stream);
      // A view cannot follow its table by itself; OR REPLACE takes the new columns at its end.
      if (root !== undefined) await client.query(sql.currentView(this.shape(root), shape));
    }
  }

  private async addColumns(
    client: pg.PoolClient,
    shape: sql.TableShape,
    table: Table,
    columns: readonly Column[],
  ): Promise<void> {
    await client.query(sql.addColumns(shape, columns));
    await client.query(
      `INSERT INTO closehaul.warehouse_columns (schema_name, table_path, path, type, column_name)
       SELECT $1, $2, r.path, r.type, r.name
         FROM json_to_recordset($3::json) AS r(path text, type text, name text)
       ON CONFLICT DO NOTHING`,
      [this.name, table.path, JSON.stringify(columns)],
    );
    const target = sql.qualified(this.name, table.name);
    for (const { name, path } of columns) {
      const comment = pg.escapeLiteral(`Close: ${table.stream}, field ${path}`);
      await client.query(`COMMENT ON COLUMN ${target}.${quote(name)} IS ${comment}`);
    }
  }

  private async reload(client: pg.PoolClient): Promise<void> {
    const schema = this.emptySchema();
    const { rows } = await client.query<StoredTable>(
      `SELECT t.path, t.table_name AS name, t.stream, t.levels,
              coalesce(json_agg(json_build_object('name', c.column_name, 'type', c.type, 'path', c.path)
                                ORDER BY c.ordinal) FILTER (WHERE c.path IS NOT NULL), '[]') AS columns
         FROM closehaul.warehouse_tables t
         LEFT JOIN closehaul.warehouse_columns c
           ON c.schema_name = t.schema_name AND c.table_path = t.path
        WHERE t.schema_name = $1
        GROUP BY t.path, t.table_name, t.stream, t.levels`,
      [this.name],
    );
    for (const { columns, ...table } of rows) schema.restore(table, columns);
    const version = await client.query<{ version: number }>(
      'SELECT catalog_version AS version FROM closehaul.connections WHERE schema_name = $1',
      [this.name],
    );
    this.current = { schema, version: version.rows[0]?.version ?? 0 };
  }

  private emptySchema(): Schema {
    return new Schema({
      reservedColumns: (levels) =>
        sql.systemColumns({
          levels,
          kind: levels === 0 ? 'root' : 'subtable',
          keyColumn: levels === 0 ? 'id' : this.layout.parentKeyColumn('id'),
        }),
      reservedTables: ['_sdc_rejected'],
      versionField: (stream) => this.streamOf(stream).versionField,
    });
  }

  private streamOf(name: string): StreamShape {
    const stream = this.streams.get(name);
    if (stream === undefined) throw new TypeError(`no stream is called ${name}`);
    return stream;
  }
}

interface StoredTable {
  readonly path: string;
  readonly name: string;
  readonly stream: string;
  readonly levels: number;
  readonly columns: readonly { name: string; type: ColumnType; path: string }[];
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}

/** Makes the schema of a connection and what Stitch puts into every schema. */
export async function createSchema(pool: pg.Pool, name: string): Promise<void> {
  await query(pool, `CREATE SCHEMA IF NOT EXISTS ${quote(name)}`);
  await query(pool, sql.createRejected(name));
}
