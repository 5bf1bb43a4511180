import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import { query } from './pool.js';

/** A job that the database wants: somebody dropped a table or column, and its rows with it. */
export interface Reread {
  /** The same for the same repair, so that asking twice is asking once. */
  readonly id: string;
  readonly streams: readonly string[];
  readonly from: Instant;
}

interface WantedReread {
  readonly stream: string;
  readonly repairedAt: Instant;
  readonly startDate: Instant;
}

/**
 * The streams that were repaired and not read again since. `finishedJob` is a job that has just come
 * to a good end; a reread that is finished is wanted no more.
 */
export async function takeRereads(
  pool: pg.Pool,
  schema: string,
  finishedJob: string | null,
): Promise<readonly Reread[]> {
  const rows = await query<WantedReread & pg.QueryResultRow>(
    pool,
    `SELECT t.stream, t.repaired_at AS "repairedAt", c.start_date AS "startDate"
       FROM closehaul.warehouse_tables t JOIN closehaul.connections c USING (schema_name)
      WHERE t.schema_name = $1 AND t.levels = 0 AND t.repaired_at IS NOT NULL
        AND (t.reread_at IS NULL OR t.reread_at < t.repaired_at)
      ORDER BY t.stream`,
    [schema],
  );
  const wanted: Reread[] = [];
  for (const { stream, repairedAt, startDate } of rows) {
    const id = `reread-${stream}-${repairedAt.slice(0, 19).replace(/\D/g, '')}`;
    if (finishedJob === `backfill/${id}`) {
      await query(
        pool,
        `UPDATE closehaul.warehouse_tables SET reread_at = $3
          WHERE schema_name = $1 AND levels = 0 AND stream = $2`,
        [schema, stream, repairedAt],
      );
    } else {
      wanted.push({ id, streams: [stream], from: startDate });
    }
  }
  return wanted;
}
