import type pg from 'pg';
import type { Row } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import { LAYOUTS, type Layout, type LayoutName } from '../core/layout.js';
import { Schema, type Column, type Table } from '../core/schema.js';
import type { StreamShape } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { readCustomFields } from './custom-fields.js';
import {
  columnsThere,
  define,
  describeCustomFields,
  restore,
  type DefinitionContext,
} from './definitions.js';
import { NamesGate } from './names-gate.js';
import { inTransaction, quote } from './pool.js';
import { createRejected, REJECTED_TABLE } from './rejects.js';
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
  /** How often the tables had been made anew when this was opened. */
  private rebuilds: number | undefined;
  private readonly streams: ReadonlyMap<string, StreamShape>;
  private readonly gate = new NamesGate();
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

  /**
   * Makes whatever tables and columns `rows` need. Throws WAREHOUSE_NAME_TAKEN when the schema has a
   * table of that name which is not ours.
   */
  async prepare(rows: readonly Row[]): Promise<void> {
    const isNeeded = (): boolean => rows.some((row) => this.schema.lacks(row));
    if (!isNeeded()) return;
    await this.change(async (context) => {
      const { client, schema } = context;
      const there = await columnsThere(client, this.name);
      const changes = schema.add(
        rows.filter((row) => schema.lacks(row)),
        there,
      );
      for (const change of changes) await define(context, change);
    }, isNeeded);
  }

  /**
   * Makes again what somebody dropped by hand, and notes whose rows were in it: those streams are
   * read again from the start date.
   */
  async repair(): Promise<void> {
    await this.change(async (context) => {
      const { client, schema } = context;
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(this.name)}`);
      await client.query(createRejected(this.name));
      const there = await columnsThere(client, this.name);
      const damaged = this.damaged(schema, there).map(({ stream }) => stream);
      for (const table of schema.all()) await restore(context, table, there.get(table.name));
      await client.query(
        `UPDATE closehaul.warehouse_tables SET repaired_at = now()
          WHERE schema_name = $1 AND levels = 0 AND stream = ANY($2::text[])`,
        [this.name, damaged],
      );
    });
  }

  /** Repairs, if there is anything to repair; one look at PostgreSQL's catalogue when not. */
  async repairDamage(): Promise<void> {
    await this.refresh();
    const { schema } = this;
    const there = await this.inTransaction((client) => columnsThere(client, this.name));
    const tables = schema.all();
    const names = new Set(tables.map(({ name }) => name));
    const views = tables
      .filter(({ stream }) => this.streamOf(stream).loading === 'append')
      .map(({ name }) => sql.viewName(name, names));
    const isWhole = [REJECTED_TABLE, ...views].every((name) => there.has(name));
    const isEmpty = tables.length === 0;
    if (!isEmpty && (!isWhole || this.damaged(schema, there).length > 0)) await this.repair();
  }

  /** Writes the comments of custom fields anew, after their definitions changed in Close. */
  async describe(): Promise<void> {
    await this.change(describeCustomFields);
  }

  /** Reads the names anew when another worker has added some. */
  async refresh(): Promise<void> {
    this.current = await this.inTransaction((client) => this.read(client));
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

  /** Runs the transaction of a page, during which nobody in this process changes the names. */
  holdNames<T>(work: () => Promise<T>): Promise<T> {
    return this.gate.hold(work);
  }

  /**
   * Changes the names alone; nobody sees the new ones before they are committed. `isNeeded` is asked when
   * its turn has come: a page beside it may have made the same.
   */
  private async change(
    work: (context: DefinitionContext) => Promise<void>,
    isNeeded: () => boolean = () => true,
  ): Promise<void> {
    await this.gate.change(async () => {
      if (isNeeded()) this.current = await this.changed(work);
    });
  }

  private changed(work: (context: DefinitionContext) => Promise<void>): Promise<Names> {
    return this.inTransaction(async (client) => {
      const { schema } = await this.read(client);
      const { fields } = await readCustomFields(client, this.name);
      await work({
        ...{ client, schemaName: this.name, schema, fields },
        shapeOf: (table) => this.shape(table),
        streamOf: (name) => this.streamOf(name),
      });
      await client.query(
        `UPDATE closehaul.connections SET catalog_version = catalog_version + 1
          WHERE schema_name = $1`,
        [this.name],
      );
      return this.read(client);
    }, sql.takeNames(this.name));
  }

  private async inTransaction<T>(
    work: (client: pg.PoolClient) => Promise<T>,
    first?: string,
  ): Promise<T> {
    try {
      return await inTransaction(this.pool, work, first);
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** The tables of which something is not there. */
  private damaged(schema: Schema, there: ReadonlyMap<string, ReadonlySet<string>>): Table[] {
    return schema.all().filter((table) => {
      const columns = [...sql.systemColumns(this.shape(table)), ...sql.realColumns(table.columns)];
      return columns.some(({ name }) => there.get(table.name)?.has(name) !== true);
    });
  }

  private async read(client: pg.PoolClient): Promise<Names> {
    const schema = this.emptySchema();
    // The version first: names that are newer than it are only read again, older ones would be used.
    const connection = await client.query<{ version: number; layout: string; rebuilds: number }>(
      `SELECT catalog_version AS version, layout, rebuilds
         FROM closehaul.connections WHERE schema_name = $1`,
      [this.name],
    );
    const version = this.versionOf(connection.rows[0]);
    const { rows } = await client.query<StoredTable>(
      `SELECT t.path, t.table_name AS name, t.stream, t.levels, t.repaired_at AS "repairedAt",
              coalesce(json_agg(json_build_object('name', c.column_name, 'type', c.type, 'path', c.path, 'place', c.place)
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
      if (at !== null) repairedAt.set(table.stream, at);
    }
    return { schema, version, repairedAt };
  }

  /** Throws WAREHOUSE_REBUILT where these are other tables than the ones that this was opened for. */
  private versionOf(
    stored: { version: number; layout: string; rebuilds: number } | undefined,
  ): number {
    this.rebuilds ??= stored?.rebuilds;
    if (stored?.layout !== this.layout.name || stored.rebuilds !== this.rebuilds) {
      throw new ClosehaulError('WAREHOUSE_REBUILT', { schema: this.name });
    }
    return stored.version;
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
        return [REJECTED_TABLE, ...names.map((name) => sql.viewName(name, tables))];
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
  readonly columns: readonly Column[];
}

/** Makes the schema of a connection and what Stitch puts into every schema. */
export async function createSchema(pool: pg.Pool, name: string): Promise<void> {
  const create = async (client: pg.PoolClient): Promise<void> => {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(name)}`);
    await client.query(createRejected(name));
  };
  try {
    // Alone: of two that make one schema at a time, PostgreSQL refuses the second in spite of IF NOT EXISTS.
    await inTransaction(pool, create, sql.takeNames(name));
  } catch (error) {
    throw databaseError(error);
  }
}
