import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { Lane, Permit, RateBudget, RateLimit } from '../core/ports.js';
import { query } from './pool.js';

/**
 * The budget of requests of one API key, shared by every worker. What is asked for each request is
 * prepared: planning took more than half of its time (1.1 of 2 ms). Each group of endpoints has as many
 * permits as Close allows requests in a window, and a permit that was used may be used again a window
 * later. So no span of a window's length holds more requests than the limit, wherever Close's own
 * windows begin, and a request waits here instead of being refused there.
 */
export function createRateBudget(pool: pg.Pool, apiKey: string): RateBudget {
  // The key itself never leaves the process; its hash tells two keys apart.
  const budget = createHash('sha256').update(apiKey).digest('hex').slice(0, 32);
  return {
    async take(group, lane) {
      for (;;) {
        // A number, since sessions of a pooler keep the text that the name had in an older version.
        const [turn] = await query<TakenTurn>(pool, TAKE[lane], [budget, group], `take 2 ${lane}`);
        if (turn?.wasAsked === true) {
          const { number, usedAt } = turn;
          const permit = number === null || usedAt === null ? null : { number, usedAt };
          return { waitMs: Math.ceil(turn.waitMs), permit };
        }
        // Of those who find so at one time, one asks, and what it learns is for all.
        const [first] = await query<Permit & pg.QueryResultRow>(pool, FIRST, [budget, group]);
        if (first !== undefined) return { waitMs: 0, permit: first };
      }
    },
    async learn(group, limit, permit, tripMs) {
      if (limit === undefined && permit === null) return;
      const place = [budget, group, permit?.number ?? FIRST_NUMBER, permit?.usedAt ?? null];
      const values = [...place, ...(limit === undefined ? NOTHING_TOLD : told(limit))];
      const [kept] = await query<{ isKnown: boolean }>(
        pool,
        ANSWERED,
        [...values, tripMs],
        'answered',
      );
      if (kept?.isKnown !== true) await query(pool, LEARN, values);
      else if (permit?.number === FIRST_NUMBER) await query(pool, UNLIMITED, [budget, group]);
    },
    async block(group, durationMs) {
      await query(pool, BLOCK, [budget, group, Math.ceil(durationMs)]);
    },
  };
}

interface TakenTurn extends pg.QueryResultRow {
  /** Whether somebody asked for the group, and was answered or may be yet. */
  readonly wasAsked: boolean;
  readonly waitMs: number;
  readonly number: number | null;
  readonly usedAt: Instant | null;
}

/** Of a larger limit a part is granted in the same part of its window. */
const PERMITS_MAX = 1_000;

/** $5 permits, $6 of them remaining, $7 ms until the window ends, $8 ms of a window as far as it is known. */
function told({ limit, remaining, resetMs }: RateLimit): readonly number[] {
  const permits = Math.min(Math.max(1, Math.floor(limit)), PERMITS_MAX);
  const windowMs = resetMs * Math.min(1, PERMITS_MAX / limit);
  const counts = [permits, Math.min(remaining, permits)];
  return [...counts, ...[resetMs, windowMs].map((ms) => Math.max(1, Math.ceil(ms)))];
}

const NOTHING_TOLD = [null, null, null, null];

/** A window and a little more, since no two requests are under way for the same time. */
const SPAN = "g.window_ms * 1.005 * interval '1 ms'";

/**
 * A permit is not used again before its request is answered, however late it was sent, or comes to
 * Close. When nobody tells of an answer, as after a kill, it may be after this and a window.
 */
const HOLD = "interval '5 s'";
/** A permit is promised so long before its time, so that none lies idle while its user wakes up. */
const AHEAD = "interval '100 ms'";
/** So soon those ask again who wait for the answer to the first request of a group. */
const FIRST_ANSWER = "interval '50 ms'";
/** How long a lane that was told to ask again keeps its turn after that. */
const LINGER = "interval '200 ms'";

/**
 * A permit may be used when its window has passed, nothing blocks the group, and the other lane does
 * not wait for it. A quarter of the permits is kept for history, the rest for live.
 */
function readyAt(lane: Lane): string {
  const [other, isOwn] =
    lane === 'live'
      ? ['history', 'p.permit > g.window_limit / 4']
      : ['live', 'p.permit <= (g.window_limit + 3) / 4'];
  return `greatest(p.used_at + ${SPAN}, g.blocked_until,
                   CASE WHEN ${isOwn} THEN '-infinity' ELSE g.${other}_waits_until END)`;
}

/** The permits that a group has; `groups` is where its line is read. */
const permitsOf = (groups: string): string => `
    FROM (SELECT clock_timestamp() AS at) clock
    CROSS JOIN ${groups} g JOIN closehaul.rate_permits p USING (budget, endpoint_group)
   WHERE g.budget = $1 AND g.endpoint_group = $2 AND p.permit <= g.window_limit`;

const PERMITS = permitsOf('closehaul.rate_groups');

/** Whether the first request of group `g` is under way, and nothing is known before its answer. */
const IS_FIRST = '(g.window_limit IS NULL AND g.first_until > clock_timestamp())';

/** Whether that request was never answered, so that somebody else is the first. */
const IS_UNANSWERED = `(g.window_limit IS NULL AND g.first_until > '-infinity'
                        AND g.first_until <= clock_timestamp())`;

/** The permit of that request, for whoever comes first; no group has one of that number. */
const FIRST_NUMBER = 0;
const FIRST = `
INSERT INTO closehaul.rate_groups AS g (budget, endpoint_group, first_until)
VALUES ($1, $2, clock_timestamp() + ${HOLD})
ON CONFLICT (budget, endpoint_group) DO UPDATE SET first_until = excluded.first_until WHERE ${IS_UNANSWERED}
RETURNING ${FIRST_NUMBER} AS number, clock_timestamp() AS "usedAt"`;

/** Its answer told of no limit, so nobody need wait. */
const UNLIMITED = `
UPDATE closehaul.rate_groups SET first_until = '-infinity' WHERE budget = $1 AND endpoint_group = $2`;

/**
 * The permit that rested longest, now or in a moment. Without one the lane's wait is written down, so
 * that the other lane leaves it the next.
 */
function take(lane: Lane): string {
  return `
WITH free AS (
  SELECT p.permit, ${readyAt(lane)} AS ready_at ${PERMITS} AND ${readyAt(lane)} <= clock.at + ${AHEAD}
   ORDER BY ready_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
), used AS (
  UPDATE closehaul.rate_permits p SET used_at = greatest(free.ready_at, clock_timestamp()) + ${HOLD} FROM free
   WHERE p.budget = $1 AND p.endpoint_group = $2 AND p.permit = free.permit
  RETURNING p.permit, p.used_at - ${HOLD} AS used_at, p.used_at - ${HOLD} - clock_timestamp() AS wait
), waiting AS (
  UPDATE closehaul.rate_groups g
     SET ${lane}_waits_until = greatest(next.at - ${AHEAD}, g.blocked_until, clock_timestamp()
                                          + CASE WHEN ${IS_FIRST} THEN ${FIRST_ANSWER} ELSE '0' END) + ${LINGER}
    FROM (SELECT min(${readyAt(lane)}) AS at ${PERMITS}) next
   WHERE g.budget = $1 AND g.endpoint_group = $2 AND NOT EXISTS (SELECT FROM used)
     AND (next.at IS NOT NULL OR g.blocked_until > clock_timestamp() OR ${IS_FIRST})
  RETURNING g.${lane}_waits_until - ${LINGER} - clock_timestamp() AS wait
)
SELECT used.permit AS number, used.used_at AS "usedAt",
       CASE WHEN waiting.wait IS NOT NULL THEN greatest(extract(epoch FROM waiting.wait) * 1000, 1)
            WHEN used.wait > '0' THEN extract(epoch FROM used.wait) * 1000 ELSE 0 END::float8 AS "waitMs",
       EXISTS (SELECT FROM closehaul.rate_groups g WHERE g.budget = $1 AND g.endpoint_group = $2
                  AND NOT ${IS_UNANSWERED}) AS "wasAsked"
  FROM (SELECT) one LEFT JOIN used ON true LEFT JOIN waiting ON true`;
}

const TAKE: Readonly<Record<Lane, string>> = { live: take('live'), history: take('history') };

/**
 * How many permits Close does not grant though they rest here: somebody else uses the key. What was
 * used since the request was sent counts as used, though Close had not seen it.
 */
const usedByOthers = (groups: string): string => `(
  SELECT greatest(count(*) - $6::bigint, 0) ${permitsOf(groups)}
     AND p.used_at <= coalesce($4::timestamptz, clock.at) - ${SPAN})`;

/**
 * A request counts from when it reached Close at the latest, which is its answer less the shortest
 * way there and back. (A request that is late makes a window of Close begin late, and the one that
 * uses its permit next would fall into that window.) Says whether the answer told nothing new.
 */
const ANSWERED = `
WITH trip AS (
  UPDATE closehaul.rate_groups g
     SET round_trip_ms = least($9, g.round_trip_ms * 1.0001)
   WHERE g.budget = $1 AND g.endpoint_group = $2 AND $4::timestamptz IS NOT NULL
  RETURNING greatest(clock_timestamp() - $4 - g.round_trip_ms * interval '1 ms', '0') AS late
), answered AS (
  UPDATE closehaul.rate_permits p SET used_at = $4 + trip.late FROM trip
   WHERE p.budget = $1 AND p.endpoint_group = $2 AND p.permit = $3 AND p.used_at = $4 + ${HOLD}
)
SELECT $7::bigint IS NULL
       OR CASE WHEN g.window_limit = $5 THEN g.window_ms >= $8
               ELSE g.window_limit < $5 AND g.window_limit > $6 END
          AND ${usedByOthers('closehaul.rate_groups')} = 0 AS "isKnown"
  FROM closehaul.rate_groups g
 WHERE g.budget = $1 AND g.endpoint_group = $2`;

/**
 * Takes over limit and window, and takes away what others use until the window ends. Several limits
 * may hold at once, and an answer tells of the nearest: a larger one than ours is believed only when
 * more remains of it than ours ever allows.
 */
const LEARN = `
WITH learned AS (
  INSERT INTO closehaul.rate_groups AS g (budget, endpoint_group, window_limit, window_ms)
  VALUES ($1, $2, $5, $8)
  ON CONFLICT (budget, endpoint_group) DO UPDATE
     SET window_limit = CASE WHEN $5 > g.window_limit AND $6 < g.window_limit
                             THEN g.window_limit ELSE $5 END,
         window_ms = CASE WHEN $5 = g.window_limit THEN greatest(g.window_ms, $8)
                          WHEN $5 > g.window_limit AND $6 < g.window_limit THEN g.window_ms
                          ELSE $8 END
  RETURNING g.*, clock_timestamp() + $7 * interval '1 ms' - ${SPAN} AS gone_at
), others AS (
  SELECT p.permit ${permitsOf('learned')} AND p.permit <> $3 AND p.used_at <= clock.at - ${SPAN}
   ORDER BY p.permit LIMIT ${usedByOthers('learned')} FOR UPDATE OF p SKIP LOCKED
), gone AS (
  UPDATE closehaul.rate_permits p SET used_at = learned.gone_at FROM learned, others
   WHERE p.budget = $1 AND p.endpoint_group = $2 AND p.permit = others.permit
)
INSERT INTO closehaul.rate_permits (budget, endpoint_group, permit, used_at)
SELECT $1, $2, n, CASE WHEN n > $6 THEN gone_at ELSE '-infinity' END
  FROM learned g, generate_series(1, g.window_limit) n
ON CONFLICT DO NOTHING`;

const BLOCK = `
INSERT INTO closehaul.rate_groups AS g (budget, endpoint_group, blocked_until)
VALUES ($1, $2, clock_timestamp() + $3 * interval '1 ms')
ON CONFLICT (budget, endpoint_group) DO UPDATE
   SET blocked_until = greatest(g.blocked_until, excluded.blocked_until)`;
