import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { Counts } from './checkpoints.js';
import { planCheckpoints, type PlannedSlice, type SliceRef } from './checkpoints.js';
import { inTransaction, query } from './pool.js';
import { databaseError } from './sqlstate.js';
import { qualified } from './statements.js';

/** A sync: the historical one, an incremental one, a backfill, the load of tables made anew. */
export interface RunRef {
  readonly schema: string;
  /** `initial`, `live`, or the id of a backfill. Checkpoints belong to a job. */
  readonly job: string;
  /** One execution of a job; what `closehaul.runs` lists. */
  readonly run: string;
  /** `retry` loads rejects again, `reconcile` compares: neither says how complete a stream is. */
  readonly kind: 'initial' | 'incremental' | 'backfill' | 'rebuild' | 'reconcile' | 'retry';
}

/**
 * Begins a run: stores the slices that are new and returns all that are open, those that an earlier
 * run of the job left behind included. The live job forgets its closed slices first, and those that
 * stand at their beginning, which are planned anew up to now; save those whose counts no run has taken
 * yet because the one before never came to its end. That one counts as stopped from then on.
 */
export async function beginRun(
  pool: pg.Pool,
  ref: RunRef,
  plan: (openSlices: ReadonlySet<string>) => readonly PlannedSlice[],
): Promise<readonly SliceRef[]> {
  try {
    return await inTransaction(pool, async (client) => {
      await client.query(
        `INSERT INTO closehaul.runs (run, schema_name, job, kind) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING`,
        [ref.run, ref.schema, ref.job, ref.kind],
      );
      await client.query(
        `UPDATE closehaul.runs r
            SET outcome = 'stopped',
                finished_at = greatest(r.started_at, (SELECT max(updated_at) FROM closehaul.checkpoints
                                                       WHERE schema_name = $1 AND job = $2))
          WHERE schema_name = $1 AND job = $2 AND run <> $3 AND outcome IS NULL`,
        [ref.schema, ref.job, ref.run],
      );
      if (ref.kind === 'incremental') {
        await client.query(
          `DELETE FROM closehaul.checkpoints
            WHERE schema_name = $1 AND job = $2 AND (is_done OR position IS NULL) AND pages = 0
              AND planned_at < (SELECT started_at FROM closehaul.runs WHERE run = $3)`,
          [ref.schema, ref.job, ref.run],
        );
      }
      const { rows } = await client.query<{ stream: string; part: string }>(
        'SELECT stream, part FROM closehaul.checkpoints WHERE schema_name = $1 AND job = $2 AND NOT is_done',
        [ref.schema, ref.job],
      );
      const open = new Set(rows.map(({ stream, part }) => `${stream}.${part}`));
      return await planCheckpoints(client, ref.schema, ref.job, plan(open));
    });
  } catch (error) {
    throw databaseError(error);
  }
}

export interface StreamSummary extends Counts {
  readonly stream: string;
  readonly isComplete: boolean;
  readonly bookmark: Instant | null;
  /** Records in the table altogether. */
  readonly totalRows: number;
  /** What a person should know of it, though nothing went wrong: that a key may not read it. */
  readonly note: string | null;
  /** Close lets the key read nothing of it. */
  readonly isSkipped: boolean;
}

interface MovedCounts extends Counts {
  readonly stream: string;
  readonly pages: number;
  readonly requests: number;
  readonly is_complete: boolean;
}

/**
 * Ends a run: moves the counts from the checkpoints into `run_streams`, so that each page is counted
 * in one run, and says how each stream stands.
 */
export async function endRun(
  pool: pg.Pool,
  ref: RunRef,
  problems: Readonly<Record<string, string>>,
): Promise<readonly StreamSummary[]> {
  try {
    return await inTransaction(pool, async (client) => {
      const moved = await moveCounts(client, ref);
      for (const counts of moved) await storeCounts(client, ref, counts, problems[counts.stream]);
      const isComplete = moved.every((counts) => counts.is_complete);
      await client.query(
        'UPDATE closehaul.runs SET finished_at = now(), outcome = $2 WHERE run = $1',
        [ref.run, isComplete && Object.keys(problems).length === 0 ? 'complete' : 'incomplete'],
      );
      return await summarize(client, ref, moved);
    });
  } catch (error) {
    throw databaseError(error);
  }
}

async function moveCounts(client: pg.PoolClient, ref: RunRef): Promise<readonly MovedCounts[]> {
  const { rows } = await client.query<MovedCounts>(
    `WITH held AS (
       SELECT * FROM closehaul.checkpoints WHERE schema_name = $1 AND job = $2 FOR UPDATE
     ), cleared AS (
       UPDATE closehaul.checkpoints c
          SET pages = 0, requests = 0, fetched = 0, inserted = 0, updated = 0, unchanged = 0,
              stale = 0, rejected = 0, rows = 0
         FROM held h
        WHERE c.schema_name = h.schema_name AND c.job = h.job AND c.stream = h.stream AND c.slice = h.slice
          AND h.pages > 0
     )
     SELECT stream, bool_and(is_done) AS is_complete, sum(pages)::bigint AS pages,
            sum(requests)::bigint AS requests, sum(fetched)::bigint AS fetched,
            sum(inserted)::bigint AS inserted, sum(updated)::bigint AS updated,
            sum(unchanged)::bigint AS unchanged, sum(stale)::bigint AS stale,
            sum(rejected)::bigint AS rejected, sum(rows)::bigint AS rows
       FROM held GROUP BY stream ORDER BY stream`,
    [ref.schema, ref.job],
  );
  return rows;
}

async function storeCounts(
  client: pg.PoolClient,
  ref: RunRef,
  counts: MovedCounts,
  problem: string | undefined,
): Promise<void> {
  await client.query(
    `INSERT INTO closehaul.run_streams AS s (run, stream, pages, requests, fetched, inserted, updated,
                                             unchanged, stale, rejected, rows, problem)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     ON CONFLICT (run, stream) DO UPDATE
       SET pages = s.pages + excluded.pages, requests = s.requests + excluded.requests,
           fetched = s.fetched + excluded.fetched, inserted = s.inserted + excluded.inserted,
           updated = s.updated + excluded.updated, unchanged = s.unchanged + excluded.unchanged,
           stale = s.stale + excluded.stale, rejected = s.rejected + excluded.rejected,
           rows = s.rows + excluded.rows, problem = excluded.problem`,
    [
      ...[ref.run, counts.stream, counts.pages, counts.requests, counts.fetched, counts.inserted],
      ...[counts.updated, counts.unchanged, counts.stale, counts.rejected, counts.rows],
      problem ?? null,
    ],
  );
  const isComplete = counts.is_complete && problem === undefined;
  if (ref.kind === 'retry' || ref.kind === 'reconcile') {
    await client.query(
      'UPDATE closehaul.streams SET rows = rows + $3 WHERE schema_name = $1 AND stream = $2',
      [ref.schema, counts.stream, counts.inserted],
    );
    return;
  }
  await client.query(
    `UPDATE closehaul.streams
        SET rows = rows + $3, problem = $4,
            status = CASE WHEN NOT $5 THEN 'Incomplete'
                          WHEN (SELECT bool_and(b.is_skipped) FROM closehaul.bookmarks b
                                 WHERE b.schema_name = $1 AND b.stream = $2) THEN 'Skipped'
                          ELSE 'Up to date' END,
            last_success_at = CASE WHEN $5 THEN now() ELSE last_success_at END
      WHERE schema_name = $1 AND stream = $2`,
    [ref.schema, counts.stream, counts.inserted, problem ?? null, isComplete],
  );
}

/** From what is stored of the run, so that an end that is asked for again says the same. */
async function summarize(
  client: pg.PoolClient,
  ref: RunRef,
  moved: readonly MovedCounts[],
): Promise<readonly StreamSummary[]> {
  const { rows } = await client.query<Omit<StreamSummary, 'isComplete'>>(
    `SELECT r.stream, r.fetched, r.inserted, r.updated, r.unchanged, r.stale, r.rejected, r.rows,
            s.bookmark, coalesce(s.rows, 0) AS "totalRows",
            coalesce(s.status = 'Skipped', false) AS "isSkipped",
            (SELECT string_agg(DISTINCT b.note, ' ') FROM closehaul.bookmarks b
              WHERE b.schema_name = $2 AND b.stream = r.stream) AS note
       FROM closehaul.run_streams r
       LEFT JOIN closehaul.sync_status s ON s.schema = $2 AND s.stream = r.stream
      WHERE r.run = $1 ORDER BY r.stream`,
    [ref.run, ref.schema],
  );
  const open = new Set(moved.filter((counts) => !counts.is_complete).map(({ stream }) => stream));
  return rows.map((row) => ({ ...row, isComplete: !open.has(row.stream) }));
}

/** Shows in `sync_status` what a stream does now. */
export async function markStreams(
  pool: pg.Pool,
  schema: string,
  streams: readonly string[],
  status: string,
): Promise<void> {
  await query(
    pool,
    'UPDATE closehaul.streams SET status = $3 WHERE schema_name = $1 AND stream = ANY($2::text[])',
    [schema, streams, status],
  );
}

/**
 * Gives PostgreSQL's planner figures for tables that were filled in one go; autovacuum would come to
 * them in its own time. By two connections: 1.1 s of a history's 21, where one takes 1.6.
 */
export async function analyzeStreams(
  pool: pg.Pool,
  schema: string,
  streams: readonly string[],
): Promise<void> {
  const tables = await query<{ name: string }>(
    pool,
    `SELECT table_name AS name FROM closehaul.warehouse_tables
      WHERE schema_name = $1 AND stream = ANY($2::text[])`,
    [schema, streams],
  );
  const left = tables.map(({ name }) => name);
  const analyze = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      await query(pool, `ANALYZE ${qualified(schema, name)}`);
    }
  };
  try {
    await Promise.all([analyze(), analyze()]);
  } finally {
    // When one fails, the other does not go on beside the next attempt.
    left.length = 0;
  }
}
