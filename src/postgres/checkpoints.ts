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

export const NO_COUNTS: Counts = {
  ...{ fetched: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0, rejected: 0, rows: 0 },
};

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    fetched: a.fetched + b.fetched,
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    stale: a.stale + b.stale,
    rejected: a.rejected + b.rejected,
    rows: a.rows + b.rows,
  };
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

export interface Fence {
  /** The base for `_sdc_sequence`: nanoseconds, from the one clock that all workers share. */
  readonly sequence: string;
  /** When the page's transaction began, by the same clock. */
  readonly batchedAt: Instant;
  /** Version of the names. */
  readonly catalogVersion: number;
}

/**
 * Takes the fence inside the page's transaction; undefined when another attempt has moved the
 * checkpoint, and then nothing of this page may be written.
 */
export async function takeFence(
  client: pg.PoolClient,
  ref: SliceRef,
  version: number,
): Promise<Fence | undefined> {
  const { rows } = await client.query<Fence>(
    `SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000000) * 1000)::bigint::text AS sequence,
            now() AS "batchedAt",
            (SELECT catalog_version FROM closehaul.connections WHERE schema_name = $1) AS "catalogVersion"
       FROM closehaul.checkpoints
      WHERE ${WHERE_SLICE} AND version = $5 AND NOT is_done
        FOR UPDATE`,
    [...key(ref), version],
  );
  return rows[0];
}

export interface Advance {
  readonly position: Position | null;
  readonly isDone: boolean;
  readonly totalRecords: number | null;
  readonly requests: number;
  readonly counts: Counts;
  /** Parts of other streams that are complete for this slice, since it brought all of their records. */
  readonly closes: readonly { readonly stream: string; readonly part: string }[];
  /** What a person should know of the part. */
  readonly note: string | null;
  /** The part could not be read, so its bookmark stays. */
  readonly isSkipped: boolean;
  /** Events were forgotten before they were read. */
  readonly hasGap: boolean;
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
  // Only what was planned together with this slice saw all of its pages.
  await client.query(
    `WITH own AS (
       SELECT * FROM closehaul.checkpoints WHERE ${WHERE_SLICE}
     ), others AS (
       UPDATE closehaul.checkpoints o SET is_done = true, position = NULL, version = o.version + 1
         FROM own c, json_to_recordset($5::json) AS r(stream text, part text)
        WHERE o.schema_name = c.schema_name AND o.job = c.job AND o.stream = r.stream AND o.part = r.part
          AND o.planned_at = c.planned_at AND o.from_at >= c.from_at AND o.to_at <= c.to_at AND NOT o.is_done
       RETURNING o.stream, o.part, o.bookmark_on_close, NULL AS note, false AS is_skipped
     ), closed AS (
       SELECT stream, part, bookmark_on_close, $6::text AS note, $7::boolean AS is_skipped FROM own
       UNION ALL SELECT stream, part, bookmark_on_close, note, is_skipped FROM others
     )
     UPDATE closehaul.bookmarks b
        SET bookmark = CASE WHEN c.is_skipped THEN b.bookmark
                            ELSE greatest(b.bookmark, c.bookmark_on_close) END,
            read_at = now(), note = c.note, is_skipped = c.is_skipped,
            gap_at = CASE WHEN $8 THEN now() ELSE b.gap_at END,
            missed_at = CASE WHEN c.is_skipped AND c.bookmark_on_close IS NULL THEN now()
                             ELSE b.missed_at END
       FROM closed c
      WHERE b.schema_name = $1 AND b.stream = c.stream AND b.part = c.part`,
    [...key(ref), JSON.stringify(move.closes), move.note, move.isSkipped, move.hasGap],
  );
}

/**
 * Counts of what a page of one stream told of another, under the stream that they touch: in a
 * checkpoint of its own that has no part, so that `endRun` finds them with the others.
 */
export async function addEffectCounts(
  client: pg.PoolClient,
  ref: SliceRef,
  counts: Counts,
): Promise<void> {
  if (counts.fetched === 0) return;
  await client.query(
    `INSERT INTO closehaul.checkpoints AS c (schema_name, job, stream, slice, part, from_at, to_at, is_done,
            pages, fetched, inserted, updated, unchanged, stale, rejected, rows)
     VALUES ($1, $2, $3, 'effects', '', 'epoch', 'epoch', true, 1, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (schema_name, job, stream, slice) DO UPDATE
       SET pages = c.pages + 1, fetched = c.fetched + excluded.fetched, inserted = c.inserted + excluded.inserted,
           updated = c.updated + excluded.updated, unchanged = c.unchanged + excluded.unchanged,
           stale = c.stale + excluded.stale, rejected = c.rejected + excluded.rejected,
           rows = c.rows + excluded.rows, updated_at = now()`,
    [
      ...[ref.schema, ref.job, ref.stream, counts.fetched, counts.inserted, counts.updated],
      ...[counts.unchanged, counts.stale, counts.rejected, counts.rows],
    ],
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
