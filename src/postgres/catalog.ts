import pg from 'pg';
import type { Row } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import { LAYOUTS, type Layout, type LayoutName } from '../core/layout.js';
import { Schema, type Column, type SchemaChange, type Table } from '../core/schema.js';
import type { StreamShape } from '../core/stream.js';
import type { ColumnType } from '../core/typing.js';
import { inTransaction, quote } from './pool.js';
import { databaseError } from './sqlstate.js';
import * as sql from './statements.js';

/**
 * What the tables and columns of one connection are called, as it was at one version. Never changed
 * once it is published, so a page that took it uses the same names from its first row to its last.
 */
export interface Names {
  readonly schema: Schema;
  /** Grows with each change of names, in memory and in the database alike. */
  readonly version: number;
  /** By stream: what was loaded before then may lack something that was dropped by hand. */
  readonly repairedAt: ReadonlyMap<string, Instant>;
}

/**
 * The warehouse schema of one connection, and the only place where DDL happens: in a transaction of
 * its own before the page's, alone with the names, so two workers that meet a new field at the same
 * time make one column. What a field's column is called is stored in schema `closehaul`.
 */
export class Catalog {
  private current: Names;
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
    this.current = { schema: this.emptySchema(), version: -1, repairedAt: new Map() };
  }

  static async open(
    pool: pg.Pool,
    name: string,
    layout: LayoutName,
    streams: readonly StreamShape[],
  ): Promise<Catalog> {
    const catalog = new Catalog(pool, name, layout, streams);
    await catalog.refresh();
    return catalog;
  }

  get names(): Names {
    return this.current;
  }

  get schema(): Schema {
    return this.current.schema;
  }

  get version(): number {
    return this.current.version;
  }

  /** Makes whatever tables and columns `rows` need. Throws RECORD_REFUSED when there can be no more. */
  async prepare(rows: readonly Row[]): Promise<void> {
    if (!rows.some((row) => this.schema.lacks(row))) return;
    await this.change(async (client, { schema }) => {
      const changes = schema.add(rows.filter((row) => schema.lacks(row)));
      for (const change of changes) await this.apply(client, schema, change);
    });
  }

  /**
   * Makes again what somebody dropped by hand. The rows that were in it come back when their records
   * are read again; in an append-only table only those of new versions do.
   */
  async repair(): Promise<void> {
    await this.change(async (client, { schema }) => {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(this.name)}`);
      await client.query(sql.createRejected(this.name));
      const damaged = await this.findDamaged(client, schema);
      for (const table of schema.all()) {
        const { columns } = table;
        const shape = this.shape(table);
        await this.apply(client, schema, { table, isNew: true, columns });
        await client.query(sql.addColumns(shape, sql.systemColumns(shape)));
      }
      await client.query(
        `UPDATE closehaul.warehouse_tables SET repaired_at = now()
          WHERE schema_name = $1 AND levels = 0 AND stream = ANY($2::text[])`,
        [this.name, damaged],
      );
    });
  }

  /** Reads the names anew when another worker has added some. */
  async refresh(): Promise<void> {
    try {
      this.current = await inTransaction(this.pool, (client) => this.read(client));
    } catch (error) {
      throw databaseError(error);
    }
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

  /** Changes the names alone; nobody sees the new ones before they are committed. */
  private async change(
    work: (client: pg.PoolClient, names: Names) => Promise<void>,
  ): Promise<void> {
    const changeNames = async (client: pg.PoolClient): Promise<Names> => {
      const names = await this.read(client);
      await work(client, names);
      await client.query(
        `UPDATE closehaul.connections SET catalog_version = catalog_version + 1
          WHERE schema_name = $1`,
        [this.name],
      );
      return this.read(client);
    };
    try {
      this.current = await inTransaction(this.pool, changeNames, sql.takeNames(this.name));
    } catch (error) {
      throw databaseError(error);
    }
  }

  private async apply(client: pg.PoolClient, schema: Schema, change: SchemaChange): Promise<void> {
    const { table, columns } = change;
    const shape = this.shape(table);
    if (change.isNew) {
      await client.query(sql.createTable(shape, columns));
      await client.query(
        `INSERT INTO closehaul.warehouse_tables (schema_name, path, stream, table_name, levels)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        [this.name, table.path, table.stream, table.name, table.levels],
      );
    }
    if (columns.length > 0) await this.addColumns(client, shape, table, columns);
    if (shape.loading === 'append') {
      const root = schema.table(table.stream) ?? table;
      const tables = new Set(schema.all().map(({ name }) => name));
      // A view cannot follow its table by itself; OR REPLACE takes the new columns at its end.
      const [rootView, view] = [root, table].map((each) => ({
        ...this.shape(each),
        viewName: sql.viewName(each.name, tables),
      })) as [sql.ViewedTable, sql.ViewedTable];
      await client.query(sql.currentView(rootView, view));
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
    const comments = columns.map(({ name, path }) => {
      const comment = pg.escapeLiteral(`Close: ${table.stream}, field ${path}`);
      return `COMMENT ON COLUMN ${target}.${quote(name)} IS ${comment}`;
    });
    await client.query(comments.join(';\n'));
  }

  /** The streams of which a table or a column is not there. */
  private async findDamaged(client: pg.PoolClient, schema: Schema): Promise<readonly string[]> {
    const { rows } = await client.query<{ table_name: string; column_name: string }>(
      `SELECT c.relname AS table_name, a.attname AS column_name
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = $1::regnamespace AND a.attnum > 0 AND NOT a.attisdropped`,
      [quote(this.name)],
    );
    const there = new Set(rows.map((row) => JSON.stringify([row.table_name, row.column_name])));
    const damaged = schema.all().filter((table) => {
      const columns = [...sql.systemColumns(this.shape(table)), ...table.columns];
      return columns.some(({ name }) => !there.has(JSON.stringify([table.name, name])));
    });
    return [...new Set(damaged.map(({ stream }) => stream))];
  }

  private async read(client: pg.PoolClient): Promise<Names> {
    const schema = this.emptySchema();
    // The version first: names that are newer than it are only read again, older ones would be used.
    const version = await client.query<{ version: number }>(
      'SELECT catalog_version AS version FROM closehaul.connections WHERE schema_name = $1',
      [this.name],
    );
    const { rows } = await client.query<StoredTable>(
      `SELECT t.path, t.table_name AS name, t.stream, t.levels, t.repaired_at AS "repairedAt",
              coalesce(json_agg(json_build_object('name', c.column_name, 'type', c.type, 'path', c.path)
                                ORDER BY c.ordinal) FILTER (WHERE c.path IS NOT NULL), '[]') AS columns
         FROM closehaul.warehouse_tables t
         LEFT JOIN closehaul.warehouse_columns c
           ON c.schema_name = t.schema_name AND c.table_path = t.path
        WHERE t.schema_name = $1
        GROUP BY t.schema_name, t.path`,
      [this.name],
    );
    const repairedAt = new Map<string, Instant>();
    for (const { columns, repairedAt: at, ...table } of rows) {
      schema.restore(table, columns);
      // Each version of an append-only record is one row for ever, so it cannot be written anew.
      const isUpsert = this.streamOf(table.stream).loading === 'upsert';
      if (at !== null && isUpsert) repairedAt.set(table.stream, at);
    }
    return { schema, version: version.rows[0]?.version ?? 0, repairedAt };
  }

  private emptySchema(): Schema {
    const schema: Schema = new Schema({
      reservedColumns: (levels) =>
        sql.reservedColumns({
          levels,
          kind: levels === 0 ? 'root' : 'subtable',
          keyColumn: levels === 0 ? 'id' : this.layout.parentKeyColumn('id'),
        }),
      get reservedTables() {
        const names = schema.all().map(({ name }) => name);
        const tables = new Set(names);
        return ['_sdc_rejected', ...names.map((name) => sql.viewName(name, tables))];
      },
      versionField: (stream) => this.streamOf(stream).versionField,
    });
    return schema;
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
  readonly repairedAt: Instant | null;
  readonly columns: readonly { name: string; type: ColumnType; path: string }[];
}

/** Makes the schema of a connection and what Stitch puts into every schema. */
export async function createSchema(pool: pg.Pool, name: string): Promise<void> {
  const create = async (client: pg.PoolClient): Promise<void> => {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(name)}`);
    await client.query(sql.createRejected(name));
  };
  try {
    // Alone: of two that make one schema at a time, PostgreSQL refuses the second in spite of IF NOT EXISTS.
    await inTransaction(pool, create, sql.takeNames(name));
  } catch (error) {
    throw databaseError(error);
  }
}
