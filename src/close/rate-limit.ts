import { parseDictionary, parseList } from 'structured-headers';
import type { RateLimit } from '../core/ports.js';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../core/instant.js';

/** Header values by lower-case name, as node:http and axios give them. */
export type HeaderReader = (name: string) => string | undefined;

/** No header may park a stream for longer; Temporal asks again after it. */
export const RETRY_AFTER_MS_MAX = 5 * MINUTE_MS;

/**
 * What an answer says of its endpoint group's budget; undefined when it says nothing readable.
 *
 * Forms (Close rate-limits page and changelog of 2023-07-21; recordings of 2017 to 2022):
 * - `RateLimit: limit=100, remaining=50, reset=5`
 * - `RateLimit: "default";r=50;t=5` with `RateLimit-Policy: "default";q=100;w=60` (newer IETF draft)
 * - `RateLimit-Limit: 60, 60;w=1`, `-Remaining`, `-Reset`
 * - `X-Rate-Limit-Limit`, `-Remaining`, `-Reset: 0.595956` (fractional seconds)
 */
export function readRateLimit(header: HeaderReader): RateLimit | undefined {
  const combined = header('ratelimit');
  return (
    (combined === undefined
      ? undefined
      : (readDictionary(combined) ?? readItems(combined, header('ratelimit-policy')))) ??
    readFamily(header, 'ratelimit-') ??
    readFamily(header, 'x-rate-limit-') ??
    readFamily(header, 'x-ratelimit-')
  );
}

/**
 * How long a refused request must wait, in milliseconds (1 to RETRY_AFTER_MS_MAX); undefined when
 * no header tells. The longest that is told counts: `RateLimit` describes the nearest limit, which
 * need not be the one that refused. The body is not read: deprecated by Close since 2024-04-24.
 */
export function readRetryAfterMs(header: HeaderReader, nowMs: number): number | undefined {
  const waitsMs = [retryAfterMs(header('retry-after'), nowMs), readRateLimit(header)?.resetMs];
  const longestMs = Math.max(...waitsMs.map((waitMs) => waitMs ?? 0));
  return longestMs > 0 ? Math.min(longestMs, RETRY_AFTER_MS_MAX) : undefined;
}

/** Close counts requests by method and path pattern: `GET /lead/:id/`. */
export function endpointGroup(method: string, path: string): string {
  return `${method} ${pathPattern(path)}`;
}

/** `path` without ids: `/lead/lead_p7Hy…/` → `/lead/:id/`. */
export function pathPattern(path: string): string {
  return path
    .split('/')
    .map((part) => (/^[A-Za-z]+_[0-9A-Za-z]{20,}$/.test(part) ? ':id' : part))
    .join('/');
}

function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = leadingNumber(value);
  if (seconds !== undefined) return Math.ceil(seconds * SECOND_MS);
  // Date.parse takes much that is no HTTP date, so the form is asked for first.
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value.trim())) {
    return undefined;
  }
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : atMs - nowMs;
}

function readDictionary(value: string): RateLimit | undefined {
  try {
    const dictionary = parseDictionary(value);
    const field = (name: string) => dictionary.get(name)?.[0] as unknown;
    return toRateLimit(field('limit'), field('remaining'), field('reset'));
  } catch {
    return undefined;
  }
}

/** Of several policies the one that is nearest to its end counts. */
function readItems(value: string, policy: string | undefined): RateLimit | undefined {
  try {
    const limits = parseList(value).flatMap(([name, parameters]) => {
      const remaining = parameters.get('r') as unknown;
      const limit = policyLimit(policy, String(name)) ?? remaining;
      return toRateLimit(limit, remaining, parameters.get('t')) ?? [];
    });
    return limits.sort((a, b) => a.remaining - b.remaining)[0];
  } catch {
    return undefined;
  }
}

function policyLimit(policy: string | undefined, name: string): unknown {
  if (policy === undefined) return undefined;
  try {
    const found = parseList(policy).find(([item]) => String(item) === name);
    return found?.[1].get('q') as unknown;
  } catch {
    return undefined;
  }
}

function readFamily(header: HeaderReader, prefix: string): RateLimit | undefined {
  const field = (name: string) => leadingNumber(header(`${prefix}${name}`) ?? '');
  return toRateLimit(field('limit'), field('remaining'), field('reset'));
}

function toRateLimit(limit: unknown, remaining: unknown, reset: unknown): RateLimit | undefined {
  if (!isCount(limit) || !isCount(remaining) || !isCount(reset)) return undefined;
  const resetMs = Math.ceil(reset * SECOND_MS);
  return resetMs > DAY_MS ? undefined : { limit, remaining: Math.floor(remaining), resetMs };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** `60, 60;w=1` → 60; `0.595956` → 0.595956; `-1`, `soon` → undefined. */
function leadingNumber(value: string): number | undefined {
  const match = /^\s*(\d{1,15}(?:\.\d{1,15})?)\s*(?:$|[,;])/.exec(value);
  return match ? Number(match[1]) : undefined;
}
