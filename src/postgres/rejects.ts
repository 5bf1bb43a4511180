import type pg from 'pg';
import { exactJsonText } from '../core/json-text.js';
import type { Reject } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import { ClosehaulError } from '../errors.js';
import { query } from './pool.js';
import { isRecordFault, sqlstateOf } from './sqlstate.js';
import { qualified } from './statements.js';

/**
 * `_sdc_rejected`: what no table could take, with the reason. Its four columns are Stitch's (dumps of
 * real destinations, read 2026-11).
 */
export const REJECTED_TABLE = '_sdc_rejected';

/** The table, and what tells a record that is rejected at each read from one that is new. */
export function createRejected(schema: string): string {
  const table = qualified(schema, REJECTED_TABLE);
  return (
    `CREATE TABLE IF NOT EXISTS ${table} ` +
    `(record text, reason text, table_name text, _sdc_rejected_at timestamptz);\n` +
    `CREATE INDEX IF NOT EXISTS _sdc_rejected_record_idx ON ${table} (md5(record));\n` +
    `COMMENT ON TABLE ${table} IS 'Records that no table could take, as Close sent them, with the reason. List them with: closehaul rejected NAME; load them again with --retry.'`
  );
}

/** A record that is kept already for the same reason is not kept twice. */
function insertRejected(schema: string): string {
  const table = qualified(schema, REJECTED_TABLE);
  return (
    `INSERT INTO ${table} (record, reason, table_name, _sdc_rejected_at)\n` +
    `SELECT DISTINCT record, reason, table_name, now()\n` +
    `  FROM json_to_recordset($1::json) AS r(record text, reason text, table_name text)\n` +
    ` WHERE NOT EXISTS (SELECT FROM ${table} t WHERE md5(t.record) = md5(r.record)\n` +
    `    AND t.record = r.record AND t.reason = r.reason AND t.table_name = r.table_name)`
  );
}

/** Throws REJECTS_REFUSED: a record that cannot even be kept there must stop its page. */
export async function writeRejects(
  client: pg.PoolClient,
  schema: string,
  rejects: readonly Reject[],
): Promise<void> {
  if (rejects.length === 0) return;
  const stored = rejects.map(({ record, reason, table }) => ({
    ...{ record: exactJsonText(record), reason, table_name: table },
  }));
  try {
    await client.query(insertRejected(schema), [JSON.stringify(stored)]);
  } catch (error) {
    if (!isRecordFault(error)) throw error;
    throw new ClosehaulError(
      'REJECTS_REFUSED',
      { schema, sqlstate: sqlstateOf(error) },
      { cause: error },
    );
  }
}

/** A kept reject, and what tells it from the others: the table has no key. */
export interface KeptReject {
  readonly place: string;
  readonly record: string;
  readonly rejectedAt: Instant;
}

/** Those of one stream that were there before `before`; the oldest first, after the place given. */
export async function readRejects(
  pool: pg.Pool,
  schema: string,
  options: {
    readonly stream: string;
    readonly after: string | null;
    readonly before: Instant;
    readonly limit: number;
  },
): Promise<readonly KeptReject[]> {
  return query<KeptReject & pg.QueryResultRow>(
    pool,
    `SELECT ctid::text AS place, record, _sdc_rejected_at AS "rejectedAt"
       FROM ${qualified(schema, REJECTED_TABLE)}
      WHERE table_name = $1 AND ctid > coalesce($2, '(0,0)')::tid AND _sdc_rejected_at < $3
      ORDER BY ctid LIMIT $4`,
    [options.stream, options.after, options.before, options.limit],
  );
}

/** Why records were rejected, and how many; no value of theirs. */
export interface RejectCount {
  readonly table: string;
  readonly reason: string;
  readonly count: number;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
}

export async function countRejects(pool: pg.Pool, schema: string): Promise<readonly RejectCount[]> {
  return query<RejectCount & pg.QueryResultRow>(
    pool,
    `SELECT table_name AS "table", reason, count(*) AS count, min(_sdc_rejected_at) AS "firstAt",
            max(_sdc_rejected_at) AS "lastAt"
       FROM ${qualified(schema, REJECTED_TABLE)}
      GROUP BY table_name, reason ORDER BY count(*) DESC, table_name, reason`,
  );
}

/**
 * Takes rejects away that are loaded again in the same transaction. Throws REJECTS_TAKEN when one is
 * not there any more: somebody else is at it.
 */
export async function takeRejects(
  client: pg.PoolClient,
  schema: string,
  rejects: readonly KeptReject[],
): Promise<void> {
  const { rowCount } = await client.query(
    `DELETE FROM ${qualified(schema, REJECTED_TABLE)} t
      USING unnest($1::tid[], $2::timestamptz[]) AS r(place, rejected_at)
      WHERE t.ctid = r.place AND t._sdc_rejected_at = r.rejected_at`,
    [rejects.map(({ place }) => place), rejects.map(({ rejectedAt }) => rejectedAt)],
  );
  if (rowCount !== rejects.length) throw new ClosehaulError('REJECTS_TAKEN', { schema });
}
