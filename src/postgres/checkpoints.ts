import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import { sliceId, type Position, type Slice } from '../core/stream.js';
import { query } from './pool.js';

/**
 * Our position in each slice. It lives beside the rows and moves in their transaction, so whatever
 * dies, rows and position agree. `version` is the fence: it goes up by one with each page.
 */
export interface SliceRef {
  readonly schema: string;
  readonly job: string;
  readonly stream: string;
  readonly slice: string;
}

export interface Checkpoint {
  readonly slice: Slice;
  readonly position: Position | null;
  readonly version: number;
  readonly isDone: boolean;
}

/** The counts of one page or of many; `fetched` is the sum of the next five. */
export interface Counts {
  readonly fetched: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly stale: number;
  readonly rejected: number;
  /** Rows written, those of subtables included. */
  readonly rows: number;
}

interface StoredCheckpoint {
  readonly stream: string;
  readonly part: string;
  readonly from_at: Instant;
  readonly to_at: Instant;
  readonly position: Position | null;
  readonly version: number;
  readonly is_done: boolean;
}

const WHERE_SLICE = 'schema_name = $1 AND job = $2 AND stream = $3 AND slice = $4';

function key(ref: SliceRef): readonly string[] {
  return [ref.schema, ref.job, ref.stream, ref.slice];
}

/** The checkpoint of a slice; undefined when it was never planned or its job was removed. */
export async function readCheckpoint(
  pool: pg.Pool,
  ref: SliceRef,
): Promise<Checkpoint | undefined> {
  const [row] = await query<StoredCheckpoint>(
    pool,
    `SELECT stream, part, from_at, to_at, position, version, is_done
       FROM closehaul.checkpoints WHERE ${WHERE_SLICE}`,
    key(ref),
  );
  return row && toCheckpoint(row);
}

function toCheckpoint(row: StoredCheckpoint): Checkpoint {
  return {
    slice: { stream: row.stream, part: row.part, from: row.from_at, to: row.to_at },
    position: row.position,
    version: row.version,
    isDone: row.is_done,
  };
}

/**
 * Takes the fence inside the page's transaction. Returns the base for `_sdc_sequence` (nanoseconds,
 * from the one clock that all workers share) and the version of the names; undefined when another
 * attempt has moved the checkpoint, and then nothing of this page may be written.
 */
export async function takeFence(
  client: pg.PoolClient,
  ref: SliceRef,
  version: number,
): Promise<{ sequence: string; catalogVersion: number } | undefined> {
  const { rows } = await client.query<{ sequence: string; catalog_version: number }>(
    `SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000000) * 1000)::bigint::text AS sequence,
            (SELECT catalog_version FROM closehaul.connections WHERE schema_name = $1) AS catalog_version
       FROM closehaul.checkpoints
      WHERE ${WHERE_SLICE} AND version = $5 AND NOT is_done
        FOR UPDATE`,
    [...key(ref), version],
  );
  const row = rows[0];
  return row && { sequence: row.sequence, catalogVersion: row.catalog_version };
}

export interface Advance {
  readonly position: Position | null;
  readonly isDone: boolean;
  readonly totalRecords: number | null;
  readonly requests: number;
  readonly counts: Counts;
}

/** Moves the checkpoint by one page, and the bookmark when this closes a slice of the live lane. */
export async function advance(client: pg.PoolClient, ref: SliceRef, move: Advance): Promise<void> {
  const { counts } = move;
  await client.query(
    `UPDATE closehaul.checkpoints
        SET version = version + 1, position = $5, is_done = $6,
            total_records = coalesce($7, total_records), pages = pages + 1, requests = requests + $8,
            fetched = fetched + $9, inserted = inserted + $10, updated = updated + $11,
            unchanged = unchanged + $12, stale = stale + $13, rejected = rejected + $14,
            rows = rows + $15, updated_at = now()
      WHERE ${WHERE_SLICE}`,
    [
      ...key(ref),
      move.position === null ? null : JSON.stringify(move.position),
      move.isDone,
      move.totalRecords,
      move.requests,
      ...[counts.fetched, counts.inserted, counts.updated, counts.unchanged],
      ...[counts.stale, counts.rejected, counts.rows],
    ],
  );
  if (!move.isDone) return;
  await client.query(
    `UPDATE closehaul.bookmarks b
        SET bookmark = greatest(b.bookmark, c.bookmark_on_close)
       FROM closehaul.checkpoints c
      WHERE c.schema_name = $1 AND c.job = $2 AND c.stream = $3 AND c.slice = $4
        AND b.schema_name = c.schema_name AND b.stream = c.stream AND b.part = c.part
        AND c.bookmark_on_close IS NOT NULL`,
    [...key(ref)],
  );
}

export interface PlannedSlice extends Slice {
  /** What the bookmark becomes when the slice closes; null in the history lane. */
  readonly bookmarkOnClose: Instant | null;
}

/** Stores slices that are not planned yet and returns all of the job that are still open, in order. */
export async function planCheckpoints(
  client: pg.PoolClient,
  schema: string,
  job: string,
  slices: readonly PlannedSlice[],
): Promise<readonly SliceRef[]> {
  const stored = slices.map((slice) => ({
    stream: slice.stream,
    slice: sliceId(slice),
    part: slice.part,
    from_at: slice.from,
    to_at: slice.to,
    bookmark_on_close: slice.bookmarkOnClose,
  }));
  await client.query(
    `INSERT INTO closehaul.checkpoints (schema_name, job, stream, slice, part, from_at, to_at, bookmark_on_close)
     SELECT $1, $2, r.stream, r.slice, r.part, r.from_at, r.to_at, r.bookmark_on_close
       FROM json_to_recordset($3::json) AS r(stream text, slice text, part text, from_at timestamptz,
            to_at timestamptz, bookmark_on_close timestamptz)
     ON CONFLICT DO NOTHING`,
    [schema, job, JSON.stringify(stored)],
  );
  const { rows } = await client.query<{ stream: string; slice: string }>(
    `SELECT stream, slice FROM closehaul.checkpoints
      WHERE schema_name = $1 AND job = $2 AND NOT is_done
      ORDER BY stream, from_at DESC, part`,
    [schema, job],
  );
  return rows.map(({ stream, slice }) => ({ schema, job, stream, slice }));
}
