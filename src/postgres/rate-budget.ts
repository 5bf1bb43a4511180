import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { RateBudget, RateLimit } from '../core/ports.js';
import { query } from './pool.js';

/**
 * The budget of requests of one API key, one row for each group of endpoints, shared by every
 * worker: it mirrors Close's own window (limit, remaining, reset) and counts down what we send, so
 * a request waits here instead of being refused there. A 429 blocks the group for all.
 */
export function createRateBudget(pool: pg.Pool, apiKey: string): RateBudget {
  // The key itself never leaves the process; its hash tells two keys apart.
  const budget = createHash('sha256').update(apiKey).digest('hex').slice(0, 32);
  return {
    async take(group) {
      const [row] = await query<{ wait_ms: number }>(pool, TAKE, [budget, group]);
      // No row yet: nothing is known of the group before its first answer.
      return row === undefined ? 0 : Math.ceil(row.wait_ms);
    },
    async learn(group, limit: RateLimit) {
      const values = [budget, group, limit.limit, limit.remaining, Math.ceil(limit.resetMs)];
      await query(pool, LEARN, values);
    },
    async block(group, durationMs) {
      await query(pool, BLOCK, [budget, group, Math.ceil(durationMs)]);
    },
  };
}

/**
 * Takes one request and says 0, or takes none and says how long to wait before asking again. Past
 * the end of the window a new one begins.
 */
const TAKE = `
WITH held AS (
  SELECT *, clock_timestamp() AS at, resets_at <= clock_timestamp() AS is_over,
         -- Before PostgreSQL 17 nothing can be subtracted from -infinity.
         CASE WHEN blocked_until > clock_timestamp()
              THEN extract(epoch FROM blocked_until - clock_timestamp()) * 1000
              ELSE 0 END AS blocked_ms
    FROM closehaul.rate_budgets WHERE budget = $1 AND endpoint_group = $2 FOR UPDATE
)
UPDATE closehaul.rate_budgets b
   SET remaining = CASE WHEN h.blocked_ms > 0 THEN h.remaining
                        WHEN h.is_over THEN h.window_limit - 1
                        ELSE greatest(h.remaining - 1, 0) END,
       resets_at = CASE WHEN h.is_over AND h.blocked_ms <= 0
                        THEN h.at + h.window_ms * interval '1 ms' ELSE h.resets_at END
  FROM held h
 WHERE b.budget = h.budget AND b.endpoint_group = h.endpoint_group
RETURNING (CASE WHEN h.blocked_ms > 0 THEN h.blocked_ms
                WHEN h.is_over OR h.remaining > 0 THEN 0
                ELSE extract(epoch FROM h.resets_at - h.at) * 1000 END)::float8 AS wait_ms`;

/** Answers come out of order, so within one window the lower count is the true one. */
const LEARN = `
INSERT INTO closehaul.rate_budgets AS b (budget, endpoint_group, window_limit, remaining, resets_at, window_ms)
VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms', greatest($5, 1))
ON CONFLICT (budget, endpoint_group) DO UPDATE
   SET window_limit = excluded.window_limit,
       window_ms = CASE WHEN excluded.window_limit = b.window_limit
                        THEN greatest(b.window_ms, excluded.window_ms) ELSE excluded.window_ms END,
       remaining = CASE WHEN b.resets_at > clock_timestamp() THEN least(b.remaining, excluded.remaining)
                        ELSE excluded.remaining END,
       resets_at = greatest(b.resets_at, excluded.resets_at)
 WHERE b.resets_at <= clock_timestamp() OR b.remaining > excluded.remaining
    OR b.window_limit <> excluded.window_limit`;

const BLOCK = `
INSERT INTO closehaul.rate_budgets AS b (budget, endpoint_group, window_limit, remaining, resets_at, window_ms, blocked_until)
VALUES ($1, $2, 1, 0, clock_timestamp() + $3 * interval '1 ms', greatest($3, 1), clock_timestamp() + $3 * interval '1 ms')
ON CONFLICT (budget, endpoint_group) DO UPDATE
   SET blocked_until = greatest(b.blocked_until, excluded.blocked_until)`;
