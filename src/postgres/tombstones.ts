import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { CompletePass, Tombstone } from '../core/ports.js';
import { quote } from './pool.js';
import { lock, qualified, type TableShape } from './statements.js';

/**
 * Deletes and merges. A tombstone is kept for ever and marks its record's rows, those that come later
 * included: a page that was fetched before a delete may be loaded after it. Rows stay, and so do the
 * rows of children: a merge moves them, and each child has a tombstone of its own when it goes.
 *
 * A record comes back to life when Close gives it in a version that is newer than the delete. Where
 * records have no version, or the delete was only concluded from an absence, what Close gives after
 * the delete is alive.
 */
export interface TombstoneContext {
  readonly client: pg.PoolClient;
  readonly schema: string;
  readonly stream: string;
  /** The stream's own table; undefined while it has none. */
  readonly root: TableShape | undefined;
}

/**
 * The clocks of an event and of the object that it tells of lie up to 0.42 s apart (514 recorded
 * events): within this time a version is older than the delete.
 */
const CLOCKS_APART = "interval '1 second'";

/** Keeps and marks what was deleted; returns how many records were marked, and how many rows. */
export async function bury(
  context: TombstoneContext,
  tombstones: readonly Tombstone[],
): Promise<{ marked: number; rows: number }> {
  if (tombstones.length === 0) return NOTHING_MARKED;
  const { client, schema, stream } = context;
  // Of two for one key the later counts, whatever the order in which they come.
  await client.query(
    `INSERT INTO closehaul.tombstones AS t (schema_name, stream, key, deleted_at, deleted_by, merged_into, is_absence)
     SELECT DISTINCT ON (r.key) $1, $2, r.key, r."deletedAt", r."deletedBy", r."mergedInto", false
       FROM json_to_recordset($3::json) AS r(key text, "deletedAt" timestamptz, "deletedBy" text, "mergedInto" text)
      ORDER BY r.key, r."deletedAt" DESC
     ON CONFLICT (schema_name, stream, key) DO UPDATE
       SET deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by,
           merged_into = excluded.merged_into, is_absence = false
     WHERE t.is_absence OR excluded.deleted_at >= t.deleted_at`,
    [schema, stream, JSON.stringify(tombstones)],
  );
  const keys = tombstones.map(({ key }) => key);
  return mark(context, keys);
}

/**
 * After records of a page were written: those that a tombstone is newer than are dead, and those that
 * are newer than their tombstone live again.
 */
export async function judge(
  context: TombstoneContext,
  keys: readonly string[],
  receivedAt: Instant,
): Promise<void> {
  const { client, schema, stream, root } = context;
  if (root === undefined || keys.length === 0) return;
  const { rows } = await client.query<{ key: string }>(
    `SELECT key FROM closehaul.tombstones
      WHERE schema_name = $1 AND stream = $2 AND key = ANY($3::text[])`,
    [schema, stream, keys],
  );
  if (rows.length === 0) return;
  const buried = rows.map(({ key }) => key);
  // What Close gives again was not gone, or has no version that could tell.
  await client.query(
    `DELETE FROM closehaul.tombstones
      WHERE schema_name = $1 AND stream = $2 AND key = ANY($3::text[]) AND deleted_at < $4
        AND (is_absence OR $5)`,
    [schema, stream, buried, receivedAt, root.versionColumn === null],
  );
  await revive(context, root, buried);
  await mark(context, buried);
}

/** What a complete pass did not bring, and was there before it began, is gone. */
export async function buryAbsent(
  context: TombstoneContext,
  pass: CompletePass,
): Promise<{ marked: number; rows: number }> {
  return buryWithout(context, '<> ALL', pass.keys, pass.startedAt);
}

/** What Close was asked for by its key, and has none of, is gone. */
export async function buryGone(
  context: TombstoneContext,
  keys: readonly string[],
  askedAt: Instant,
): Promise<{ marked: number; rows: number }> {
  return buryWithout(context, '= ANY', keys, askedAt);
}

/** Deletes that nobody told of; what is marked already keeps what is known of its delete. */
async function buryWithout(
  context: TombstoneContext,
  which: '<> ALL' | '= ANY',
  of: readonly string[],
  at: Instant,
): Promise<{ marked: number; rows: number }> {
  const { client, schema, stream, root } = context;
  if (root === undefined) return NOTHING_MARKED;
  const key = `t.${quote(root.keyColumn)}`;
  const { rows } = await client.query<{ key: string }>(
    `SELECT DISTINCT ${key} AS key FROM ${qualified(root.schema, root.name)} t
      WHERE ${key} ${which} ($1::text[]) AND t._sdc_deleted_at IS NULL AND t._sdc_received_at < $2`,
    [of, at],
  );
  const keys = rows.map((row) => row.key);
  if (keys.length === 0) return NOTHING_MARKED;
  await client.query(
    `INSERT INTO closehaul.tombstones (schema_name, stream, key, deleted_at, is_absence)
     SELECT $1, $2, key, $4, true FROM unnest($3::text[]) AS key
     ON CONFLICT (schema_name, stream, key) DO UPDATE
       SET deleted_at = excluded.deleted_at, deleted_by = NULL, merged_into = NULL, is_absence = true`,
    [schema, stream, keys, at],
  );
  return mark(context, keys);
}

const NOTHING_MARKED = { marked: 0, rows: 0 };

async function mark(
  { client, schema, stream, root }: TombstoneContext,
  keys: readonly string[],
): Promise<{ marked: number; rows: number }> {
  if (root === undefined) return NOTHING_MARKED;
  const { rows } = await client.query<{ key: string }>(
    `UPDATE ${qualified(root.schema, root.name)} t
        SET _sdc_deleted_at = d.deleted_at, _sdc_deleted_by = d.deleted_by, _sdc_merged_into = d.merged_into
       FROM closehaul.tombstones d
      WHERE d.schema_name = $1 AND d.stream = $2 AND d.key = ANY($3::text[])
        AND t.${quote(root.keyColumn)} = d.key AND ${isDead(root)}
        AND (t._sdc_deleted_at, t._sdc_deleted_by, t._sdc_merged_into)
            IS DISTINCT FROM (d.deleted_at, d.deleted_by, d.merged_into)
     RETURNING d.key`,
    [schema, stream, keys],
  );
  return { marked: new Set(rows.map(({ key }) => key)).size, rows: rows.length };
}

async function revive(
  { client, schema, stream }: TombstoneContext,
  root: TableShape,
  keys: readonly string[],
): Promise<void> {
  await client.query(
    `UPDATE ${qualified(root.schema, root.name)} t
        SET _sdc_deleted_at = NULL, _sdc_deleted_by = NULL, _sdc_merged_into = NULL
      WHERE t.${quote(root.keyColumn)} = ANY($3::text[]) AND t._sdc_deleted_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM closehaul.tombstones d
                         WHERE d.schema_name = $1 AND d.stream = $2
                           AND d.key = t.${quote(root.keyColumn)} AND ${isDead(root)})`,
    [schema, stream, keys],
  );
}

/** Whether row `t` is older than the delete `d`. */
function isDead(root: TableShape): string {
  const received = 't._sdc_received_at <= d.deleted_at';
  if (root.versionColumn === null) return received;
  const version = `t.${quote(root.versionColumn)}`;
  return `CASE WHEN d.is_absence THEN ${received}
          ELSE coalesce(${version} <= d.deleted_at + ${CLOCKS_APART}, true) END`;
}

/**
 * Locks for the streams that a page writes to, in one order for all: shared by pages without
 * tombstones, alone for one with. Else a delete and an older page of the same record could commit at
 * the same time without seeing each other.
 */
export function holdStreams(
  schema: string,
  streams: ReadonlyMap<string, 'shared' | 'alone'>,
): string {
  const locks = [...streams].sort(([a], [b]) => (a < b ? -1 : 1));
  return locks.map(([stream, mode]) => lock(mode, 'stream', schema, stream)).join('; ');
}
