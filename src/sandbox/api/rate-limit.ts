/**
 * Rate limits: requests are counted for each endpoint group (method and path pattern), by key and,
 * with three times the limit, by organization (Close docs, rate limits). Close has told the numbers
 * in five forms of header and four of body over the years; a fault chooses others than today's.
 */
import type { MiddlewareHandler } from 'hono';
import type { Env } from './context.js';

/** One second: `ratelimit-limit: 60` with `60;w=1` (recorded answer of April 2022). */
const WINDOW_MS = 1_000;
const KEYS_PER_ORGANIZATION = 3;
/** Heavy groups have lower limits than light ones; Close does not publish which. */
const HEAVY = ['/data/search/', '/export/'];

export const headerForms = [
  'structured',
  'fractional',
  'split',
  'layers',
  'reset-only',
  'none',
] as const;
export const bodyForms = ['object', 'flat', 'nested', 'html', 'empty'] as const;

/** How the limit is told; faults change it while the sandbox runs. */
export interface LimitForms {
  headers: (typeof headerForms)[number];
  body: (typeof bodyForms)[number];
  /** Told in place of the true number of seconds: negative, huge, or no number at all. */
  reset: string | undefined;
}

export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetSeconds: number;
}

/** Header names in lower case, as since HTTP/2 (Close docs, changelog of 2020-05). */
export function limitHeaders(
  { limit, remaining, resetSeconds }: LimitState,
  forms: LimitForms,
  isRefused: boolean,
): Record<string, string> {
  const exact = forms.reset ?? resetSeconds.toFixed(6);
  // Of the rounded number: a second that is longer by the last bit of a float is not two.
  const whole = forms.reset ?? String(Math.max(1, Math.ceil(Number(exact))));
  const retry: Record<string, string> = isRefused ? { 'retry-after': whole } : {};
  // Recorded answers of 2017: the seconds have a fraction.
  const fractional = {
    'x-rate-limit-limit': String(limit * 8),
    'x-rate-limit-remaining': String(remaining),
    'x-rate-limit-reset': exact,
  };
  const split = {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': whole,
  };
  switch (forms.headers) {
    // Since 2023-07-21 (Close docs, changelog).
    case 'structured': {
      const ratelimit = `limit=${String(limit)}, remaining=${String(remaining)}, reset=${whole}`;
      return { ratelimit, ...retry };
    }
    case 'fractional':
      return fractional;
    case 'split':
      return { ...split, ...retry };
    // All families side by side (recorded answer of April 2022).
    case 'layers':
      return {
        ...fractional,
        ...split,
        'x-ratelimit-limit': `${String(limit)}, ${String(limit)};w=1, ${String(limit * KEYS_PER_ORGANIZATION)};w=1`,
        'x-ratelimit-remaining': String(remaining),
        'x-ratelimit-reset': whole,
      };
    case 'reset-only':
      return retry;
    case 'none':
      return {};
  }
}

/** The body of a 429 and its type; deprecated since 2024-04-24, when it said nothing any more. */
export function limitBody(
  { limit, resetSeconds }: LimitState,
  forms: LimitForms,
): { readonly body: string; readonly type: string } {
  const type = 'application/json';
  const told = {
    message: 'API call count exceeded for this period',
    rate_endpoint_group: '5ad1fbd8',
    rate_limit: limit,
    rate_limit_type: 'key',
    rate_reset: forms.reset ?? resetSeconds.toFixed(6),
    rate_window: 8,
  };
  switch (forms.body) {
    case 'object':
      return { body: '{}', type };
    case 'flat':
      return { body: JSON.stringify(told), type };
    case 'nested':
      return { body: JSON.stringify({ error: told }), type };
    case 'html':
      return {
        body: '<html><body><h1>429 Too Many Requests</h1></body></html>',
        type: 'text/html',
      };
    case 'empty':
      return { body: '', type };
  }
}

interface Window {
  readonly limit: number;
  readonly endsAtMs: number;
  used: number;
}

/** A window starts with the first request after the one before has ended. */
export class RateLimiter {
  private readonly windows = new Map<string, Window>();
  private rejectedRequests = 0;

  constructor(
    private readonly requestsPerSecond: number,
    private readonly clockMs: () => number,
    private readonly forms: LimitForms,
  ) {}

  get rejected(): number {
    return this.rejectedRequests;
  }

  limited(): MiddlewareHandler<Env> {
    if (this.requestsPerSecond <= 0) return (_, next) => next();
    return async (c, next) => {
      const endpoint = c.get('endpoint');
      if (endpoint === undefined) return next();
      const { isAllowed, state } = this.take(c.get('key'), endpoint);
      for (const [name, value] of Object.entries(limitHeaders(state, this.forms, !isAllowed))) {
        c.header(name, value);
      }
      if (isAllowed) return next();
      this.rejectedRequests++;
      const { body, type } = limitBody(state, this.forms);
      return c.body(body, 429, { 'content-type': type });
    };
  }

  /** Counts one request in both layers; told is the layer that is nearer to its limit. */
  private take(key: string, endpoint: string): { isAllowed: boolean; state: LimitState } {
    const isHeavy = HEAVY.some((path) => endpoint.includes(path));
    const perKey = Math.max(1, Math.floor(this.requestsPerSecond / (isHeavy ? 2 : 1)));
    const nowMs = this.clockMs();
    const windows = [
      this.window(`${key} ${endpoint}`, perKey, nowMs),
      this.window(` ${endpoint}`, perKey * KEYS_PER_ORGANIZATION, nowMs),
    ];
    const isAllowed = windows.every(({ used, limit }) => used < limit);
    if (isAllowed) for (const window of windows) window.used++;
    const states = windows.map(({ limit, used, endsAtMs }) => ({
      limit,
      remaining: limit - used,
      resetSeconds: (endsAtMs - nowMs) / 1_000,
    }));
    const state = states.reduce((one, other) => (other.remaining < one.remaining ? other : one));
    return { isAllowed, state };
  }

  private window(name: string, limit: number, nowMs: number): Window {
    const known = this.windows.get(name);
    if (known && nowMs < known.endsAtMs) return known;
    const window = { limit, endsAtMs: nowMs + WINDOW_MS, used: 0 };
    this.windows.set(name, window);
    return window;
  }
}
