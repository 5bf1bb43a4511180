import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import { connectionSchema, rebuildSchema } from '../core/naming.js';
import { query } from './pool.js';
import { qualified } from './statements.js';

/** How far the job of a connection is, for people: read beside the work, never by it. */
export interface StreamProgress {
  readonly stream: string;
  readonly slicesDone: number;
  readonly slices: number;
  readonly records: number;
  readonly rows: number;
  readonly rejected: number;
  /** Part of the job's time range that is done, 0 to 1. */
  readonly rangeDone: number;
  /** Records that the stream will have in all, when Close told. */
  readonly totalRecords: number | null;
  /** Begin of the slice that moved last. */
  readonly currentFrom: Instant | null;
}

export async function readProgress(
  pool: pg.Pool,
  schema: string,
  job: string,
): Promise<readonly StreamProgress[]> {
  return query<StreamProgress & pg.QueryResultRow>(
    pool,
    `SELECT stream,
            count(*) FILTER (WHERE is_done AND part <> '') AS "slicesDone",
            count(*) FILTER (WHERE part <> '') AS slices,
            sum(fetched)::bigint AS records, sum(rows)::bigint AS rows, sum(rejected)::bigint AS rejected,
            coalesce(sum(extract(epoch FROM to_at - from_at)) FILTER (WHERE is_done AND to_at < '9999-01-01')
                     / nullif(sum(extract(epoch FROM to_at - from_at)) FILTER (WHERE to_at < '9999-01-01'), 0),
                     0)::float8 AS "rangeDone",
            sum(total_records)::bigint AS "totalRecords",
            (array_agg(from_at ORDER BY updated_at DESC) FILTER (WHERE pages > 0))[1] AS "currentFrom"
       FROM closehaul.checkpoints
      WHERE schema_name = $1 AND job = $2
      GROUP BY stream ORDER BY max(updated_at)`,
    [schema, job],
  );
}

export interface TableCount {
  readonly table: string;
  readonly rows: number;
}

/** Every table of a connection's schema with its number of rows, counted now. */
export async function countTables(pool: pg.Pool, schema: string): Promise<readonly TableCount[]> {
  const tables = await query<{ table_name: string }>(
    pool,
    `SELECT table_name FROM closehaul.warehouse_tables
      WHERE schema_name = $1 ORDER BY split_part(path, '/', 1) DESC, levels, table_name`,
    [schema],
  );
  const names = [...tables.map((row) => row.table_name), '_sdc_rejected'];
  const counts: TableCount[] = [];
  for (const table of names) {
    const [row] = await query<{ rows: number }>(
      pool,
      `SELECT count(*) AS rows FROM ${qualified(schema, table)}`,
    );
    counts.push({ table, rows: row?.rows ?? 0 });
  }
  return counts;
}

export interface ConnectionLine {
  readonly schema: string;
  readonly name: string;
  readonly workflowId: string;
}

/** Without those that are only tables being made anew. */
export async function listConnections(pool: pg.Pool): Promise<readonly ConnectionLine[]> {
  const lines = await query<ConnectionLine & pg.QueryResultRow>(
    pool,
    `SELECT schema_name AS schema, name, workflow_id AS "workflowId"
       FROM closehaul.connections ORDER BY schema_name`,
  );
  return lines.filter(({ schema }) => connectionSchema(schema) === schema);
}

export interface RunLine {
  readonly run: string;
  readonly kind: string;
  readonly startedAt: Instant;
  readonly finishedAt: Instant | null;
  readonly outcome: string | null;
  readonly stream: string | null;
  readonly fetched: number | null;
  readonly inserted: number | null;
  readonly updated: number | null;
  readonly unchanged: number | null;
  readonly stale: number | null;
  readonly rejected: number | null;
  readonly rows: number | null;
  readonly requests: number | null;
  readonly problem: string | null;
}

/** The last runs of a connection with what each did to each stream; also of a rebuild under way. */
export async function listRuns(
  pool: pg.Pool,
  schema: string,
  limit: number,
): Promise<readonly RunLine[]> {
  return query<RunLine & pg.QueryResultRow>(
    pool,
    `SELECT r.run, r.kind, r.started_at AS "startedAt", r.finished_at AS "finishedAt", r.outcome,
            s.stream, s.fetched, s.inserted, s.updated, s.unchanged, s.stale, s.rejected, s.rows,
            s.requests, s.problem
       FROM (SELECT * FROM closehaul.runs WHERE schema_name = ANY($1) ORDER BY started_at DESC LIMIT $2) r
       LEFT JOIN closehaul.run_streams s USING (run)
      ORDER BY r.started_at DESC, s.stream`,
    [[schema, rebuildSchema(schema)], limit],
  );
}

/** What the database is, for `closehaul check`: version, encoding, and whether schemas may be made. */
export async function inspectDatabase(pool: pg.Pool): Promise<DatabaseFacts> {
  const [row] = await query<DatabaseFacts & pg.QueryResultRow>(
    pool,
    `SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
            has_database_privilege(current_database(), 'CREATE') AS "mayCreate",
            current_database() AS database,
            (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs"`,
  );
  return row ?? { version: '', encoding: '', mayCreate: false, database: '', nowMs: 0 };
}

export interface DatabaseFacts {
  readonly version: string;
  readonly encoding: string;
  readonly mayCreate: boolean;
  readonly database: string;
  /** Its clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

export interface StreamCount {
  readonly name: string;
  readonly rows: number;
  readonly bookmark: Instant | null;
}

/** How many records each stream of a connection has, and up to where it is complete. */
export async function readStreamCounts(
  pool: pg.Pool,
  schema: string,
): Promise<readonly StreamCount[]> {
  return query<StreamCount & pg.QueryResultRow>(
    pool,
    `SELECT stream AS name, rows, bookmark FROM closehaul.sync_status
      WHERE schema = $1 ORDER BY stream`,
    [schema],
  );
}

/** What is stored of one stream of a connection. */
export interface StreamRecord {
  readonly stream: string;
  readonly table: string | null;
  readonly isSelected: boolean;
  readonly leftOut: readonly string[];
  /** Parts that were read, or tried, at least once. */
  readonly partsRead: number;
  /** Of these, those that the key may not read. */
  readonly partsSkipped: number;
  readonly status: string;
  readonly rows: number;
  readonly lastSync: Instant | null;
  readonly note: string | null;
}

export async function readStreams(pool: pg.Pool, schema: string): Promise<readonly StreamRecord[]> {
  return query<StreamRecord & pg.QueryResultRow>(
    pool,
    `SELECT s.stream, t.table_name AS "table", s.is_selected AS "isSelected", s.left_out AS "leftOut",
            count(b.read_at)::int AS "partsRead",
            (count(*) FILTER (WHERE b.is_skipped))::int AS "partsSkipped",
            v.status, v.rows, v.last_success_at AS "lastSync", v.problem AS note
       FROM closehaul.streams s
       JOIN closehaul.sync_status v ON v.schema = s.schema_name AND v.stream = s.stream
       LEFT JOIN closehaul.bookmarks b ON b.schema_name = s.schema_name AND b.stream = s.stream
       LEFT JOIN closehaul.warehouse_tables t
         ON t.schema_name = s.schema_name AND t.stream = s.stream AND t.levels = 0
      WHERE s.schema_name = $1
      GROUP BY s.schema_name, s.stream, t.table_name, v.status, v.rows, v.last_success_at, v.problem
      ORDER BY s.stream`,
    [schema],
  );
}
