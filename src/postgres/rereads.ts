import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import { query } from './pool.js';

/**
 * A job that the database wants: somebody dropped a table or column, and its rows with it; or the key
 * may read now what was passed over.
 */
export interface Reread {
  /** The same for the same cause, so that asking twice is asking once. */
  readonly id: string;
  readonly streams: readonly string[];
  readonly from: Instant;
}

interface WantedReread {
  readonly stream: string;
  readonly cause: 'reread' | 'rights';
  readonly since: Instant;
  readonly startDate: Instant;
}

/** What each cause is done with. */
const DONE = {
  reread: `UPDATE closehaul.warehouse_tables SET reread_at = $3
            WHERE schema_name = $1 AND levels = 0 AND stream = $2`,
  rights: `UPDATE closehaul.bookmarks SET missed_at = NULL
            WHERE schema_name = $1 AND stream = $2 AND missed_at <= $3`,
};

/**
 * The streams that were repaired, or that could be read again, and whose history was not read since.
 * `finishedJob` is a job that has just come to a good end; a reread that is finished is wanted no more.
 */
export async function takeRereads(
  pool: pg.Pool,
  schema: string,
  finishedJob: string | null,
): Promise<readonly Reread[]> {
  const rows = await query<WantedReread & pg.QueryResultRow>(
    pool,
    `SELECT t.stream, 'reread' AS cause, t.repaired_at AS since, c.start_date AS "startDate"
       FROM closehaul.warehouse_tables t JOIN closehaul.connections c USING (schema_name)
      WHERE t.schema_name = $1 AND t.levels = 0 AND t.repaired_at IS NOT NULL
        AND (t.reread_at IS NULL OR t.reread_at < t.repaired_at)
     UNION ALL
     SELECT b.stream, 'rights', max(b.missed_at), c.start_date
       FROM closehaul.bookmarks b JOIN closehaul.connections c USING (schema_name)
      WHERE b.schema_name = $1 AND b.missed_at IS NOT NULL AND NOT b.is_skipped
      GROUP BY b.stream, c.start_date
      ORDER BY stream, cause`,
    [schema],
  );
  const wanted: Reread[] = [];
  for (const { stream, cause, since, startDate } of rows) {
    const id = `${cause}-${stream}-${since.slice(0, 19).replace(/\D/g, '')}`;
    if (finishedJob === `backfill/${id}`) await query(pool, DONE[cause], [schema, stream, since]);
    else wanted.push({ id, streams: [stream], from: startDate });
  }
  return wanted;
}
