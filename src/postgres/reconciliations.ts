import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { Present, Settled } from '../core/ports.js';
import type { SliceRef } from './checkpoints.js';
import { query, quote } from './pool.js';
import { qualified, type TableShape } from './statements.js';

/**
 * A reconciliation of one stream, in the transactions of its pages: what there is in Close is kept
 * beside the checkpoint, compared with the table once all of it was told, and each difference is
 * settled by asking Close for that record. Nothing is concluded from a list alone: records move and
 * are made while it is read.
 */
export interface ReconciliationPlace {
  readonly client: pg.PoolClient;
  readonly ref: SliceRef;
  /** The stream's own table; undefined while it has none. */
  readonly root: TableShape | undefined;
}

/** Comparing a million keys takes seconds; a page's statement has less. */
const COMPARE_TIMEOUT = "SET LOCAL statement_timeout = '4min'";

const JOB = 'schema_name = $1 AND job = $2 AND stream = $3';

function jobIs(alias: string): string {
  return JOB.replaceAll(/(?<=^|AND )/g, `${alias}.`);
}

function jobOf({ ref }: ReconciliationPlace): string[] {
  return [ref.schema, ref.job, ref.stream];
}

export async function keepPresent(
  { client, ref }: ReconciliationPlace,
  present: readonly Present[],
): Promise<void> {
  if (present.length === 0) return;
  await client.query(
    `INSERT INTO closehaul.census AS c (schema_name, job, stream, slice, key, clock, version)
     SELECT DISTINCT ON (r.key) $1, $2, $3, $4, r.key, r.clock, r.version
       FROM json_to_recordset($5::json) AS r(key text, clock timestamptz, version timestamptz)
      ORDER BY r.key, r.version DESC NULLS LAST
     ON CONFLICT (schema_name, job, stream, key) DO UPDATE
       SET clock = greatest(c.clock, excluded.clock), version = greatest(c.version, excluded.version)`,
    [ref.schema, ref.job, ref.stream, ref.slice, JSON.stringify(present)],
  );
}

/** The living records of the table: `key` and `version`. */
function livingOf(root: TableShape | undefined): string {
  if (root === undefined) return "SELECT '' AS key, NULL::timestamptz AS version WHERE false";
  const version =
    root.versionColumn === null ? 'NULL::timestamptz' : `max(${quote(root.versionColumn)})`;
  return `SELECT ${quote(root.keyColumn)} AS key, ${version} AS version
            FROM ${qualified(root.schema, root.name)} WHERE _sdc_deleted_at IS NULL GROUP BY 1`;
}

/** Marks where census and table differ; what vanished, only when the census told all there is. */
export async function compare(
  place: ReconciliationPlace,
  end: 'whole' | 'part',
  note: string | null,
): Promise<void> {
  const { client, ref, root } = place;
  const living = livingOf(root);
  await client.query(COMPARE_TIMEOUT);
  await client.query(
    `INSERT INTO closehaul.reconciliations (schema_name, job, stream, started_at, warehouse, note)
     SELECT $1, $2, $3, p.to_at, (SELECT count(*) FROM (${living}) l), $5
       FROM closehaul.checkpoints p WHERE ${JOB} AND p.slice = $4
     ON CONFLICT DO NOTHING`,
    [...jobOf(place), ref.slice, note],
  );
  await client.query(
    `UPDATE closehaul.census c
        SET difference = CASE WHEN d.is_missing THEN 'missing' ELSE 'outdated' END
       FROM (SELECT k.key, l.key IS NULL AS is_missing
               FROM closehaul.census k JOIN closehaul.checkpoints p USING (schema_name, job, stream, slice)
               LEFT JOIN (${living}) l ON l.key = k.key
              WHERE ${jobIs('k')}
                AND (l.key IS NULL AND coalesce(k.clock >= p.from_at, true) OR l.version < k.version)) d
      WHERE ${jobIs('c')} AND c.key = d.key`,
    jobOf(place),
  );
  if (root === undefined || end === 'part') return;
  await client.query(
    `INSERT INTO closehaul.census (schema_name, job, stream, slice, key, difference)
     SELECT p.schema_name, p.job, p.stream, p.slice, t.key, 'vanished'
       FROM closehaul.checkpoints p,
            (SELECT ${quote(root.keyColumn)} AS key, max(_sdc_received_at) AS received_at
               FROM ${qualified(root.schema, root.name)} WHERE _sdc_deleted_at IS NULL GROUP BY 1) t
      WHERE ${jobIs('p')} AND p.slice = $4 AND t.received_at < p.to_at
     ON CONFLICT DO NOTHING`,
    [...jobOf(place), ref.slice],
  );
}

/** Keys that differ, in their order, with how; those behind `after`. */
export async function readDifferences(
  pool: pg.Pool,
  ref: SliceRef,
  after: string,
  limit: number,
): Promise<readonly { key: string; difference: string }[]> {
  return query<{ key: string; difference: string }>(
    pool,
    `SELECT key, difference FROM closehaul.census
      WHERE ${JOB} AND difference IS NOT NULL AND key > $4 ORDER BY key LIMIT $5`,
    [ref.schema, ref.job, ref.stream, after, limit],
  );
}

/** Keeps what came of differences. */
export async function settle(place: ReconciliationPlace, { read, gone }: Settled): Promise<void> {
  await place.client.query(
    `UPDATE closehaul.census SET outcome = CASE WHEN key = ANY($4::text[]) THEN 'read' ELSE 'gone' END
      WHERE ${JOB} AND key = ANY($4::text[] || $5::text[])`,
    [...jobOf(place), read, gone],
  );
}

/**
 * Ends a reconciliation with its counts. A difference is left when the record is there in Close and
 * its newest version is not in the table: refused by PostgreSQL, or not to be had by its key. What
 * was deleted meanwhile is no difference.
 */
export async function conclude(place: ReconciliationPlace): Promise<void> {
  await place.client.query(COMPARE_TIMEOUT);
  await place.client.query(
    `WITH told AS (
       SELECT k.difference, k.outcome,
              k.outcome IS NOT DISTINCT FROM 'gone' AS is_gone,
              coalesce(k.clock >= p.from_at, true) OR l.key IS NOT NULL AS is_wanted,
              k.difference IS NOT NULL
                AND CASE WHEN k.outcome = 'gone' THEN l.key IS NOT NULL AND k.difference <> 'missing'
                         WHEN k.outcome IS NULL THEN true
                         ELSE l.key IS NULL OR l.version < k.version END
                AND NOT EXISTS (SELECT 1 FROM closehaul.tombstones d
                                 WHERE d.schema_name = k.schema_name AND d.stream = k.stream
                                   AND d.key = k.key AND d.deleted_at >= p.to_at) AS is_left
         FROM closehaul.census k JOIN closehaul.checkpoints p USING (schema_name, job, stream, slice)
         LEFT JOIN (${livingOf(place.root)}) l ON l.key = k.key
        WHERE ${jobIs('k')}
     )
     UPDATE closehaul.reconciliations
        SET finished_at = now(), (source, missing, outdated, vanished, unresolved) = (
              SELECT CASE WHEN note IS NULL THEN count(*) FILTER (WHERE is_wanted AND NOT is_gone) END,
                     count(*) FILTER (WHERE difference = 'missing' AND NOT is_gone),
                     count(*) FILTER (WHERE difference = 'outdated' AND NOT is_gone),
                     count(*) FILTER (WHERE difference <> 'missing' AND is_gone),
                     count(*) FILTER (WHERE is_left) FROM told)
      WHERE ${JOB}`,
    jobOf(place),
  );
}

/** What a reconciliation found in one stream; counts are null where not all could be listed. */
export interface StreamReconciliation {
  readonly stream: string;
  readonly source: number | null;
  readonly warehouse: number;
  readonly missing: number;
  readonly outdated: number;
  readonly vanished: number;
  readonly unresolved: number;
  readonly note: string | null;
}

export async function readReconciliation(
  pool: pg.Pool,
  schema: string,
  job: string,
): Promise<readonly StreamReconciliation[]> {
  return query<StreamReconciliation & pg.QueryResultRow>(
    pool,
    `SELECT stream, source, warehouse, missing, outdated, vanished, unresolved, note
       FROM closehaul.reconciliations
      WHERE schema_name = $1 AND job = $2 AND finished_at IS NOT NULL ORDER BY stream`,
    [schema, job],
  );
}

/** The streams that a reconciliation has begun to count. */
export async function readCounted(
  pool: pg.Pool,
  schema: string,
  job: string,
): Promise<ReadonlySet<string>> {
  const rows = await query<{ stream: string }>(
    pool,
    `SELECT stream FROM closehaul.checkpoints WHERE schema_name = $1 AND job = $2 AND part = 'census'`,
    [schema, job],
  );
  return new Set(rows.map(({ stream }) => stream));
}

/** How far back each stream of a connection was ever read: what lies before is not missing. */
export async function readReaches(
  pool: pg.Pool,
  schema: string,
  startDate: Instant,
): Promise<(stream: string) => Instant> {
  const rows = await query<{ stream: string; reach: Instant }>(
    pool,
    `SELECT stream, least(min(from_at), $2) AS reach FROM closehaul.checkpoints
      WHERE schema_name = $1 AND bookmark_on_close IS NULL AND from_at < to_at GROUP BY stream`,
    [schema, startDate],
  );
  const reaches = new Map(rows.map(({ stream, reach }) => [stream, reach]));
  return (stream) => reaches.get(stream) ?? startDate;
}

/**
 * The reconciliation that a gap in the event log asks for: its id is the same as long as the gap is.
 * `finishedRun` is a reconciliation that came to a good end: it found what gaps before it hid.
 */
export async function takeGap(
  pool: pg.Pool,
  schema: string,
  finishedRun: string | null,
): Promise<string | null> {
  if (finishedRun !== null) {
    await query(
      pool,
      `UPDATE closehaul.bookmarks SET gap_at = NULL
        WHERE schema_name = $1
          AND gap_at <= (SELECT min(started_at) FROM closehaul.runs
                          WHERE job = (SELECT job FROM closehaul.runs WHERE run = $2) AND schema_name = $1)`,
      [schema, finishedRun],
    );
  }
  const [row] = await query<{ gap: Instant | null }>(
    pool,
    'SELECT max(gap_at) AS gap FROM closehaul.bookmarks WHERE schema_name = $1',
    [schema],
  );
  const gap = row?.gap ?? null;
  return gap === null ? null : `gap-${gap.slice(0, 19).replace(/\D/g, '')}`;
}

/** Forgets what earlier reconciliations kept for their own use; their counts stay. */
export async function forgetCensuses(pool: pg.Pool, schema: string, but: string): Promise<void> {
  await query(
    pool,
    `DELETE FROM closehaul.checkpoints WHERE schema_name = $1 AND part = 'census' AND job <> $2`,
    [schema, but],
  );
}
