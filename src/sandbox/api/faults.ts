/**
 * Trouble on demand, named as `server-error=7`. A new fault is an entry in `faultMakers`, which
 * turns the text behind `=` into what happens to each request.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { UNAUTHORIZED } from './api-error.js';
import { JSON_TYPE, type Env, type Lag } from './context.js';

type Strike =
  | {
      readonly kind: 'refuse';
      readonly status: ContentfulStatusCode;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: 'cut' }
  | { readonly kind: 'delay'; readonly delayMs: number };

/** What happens to request number `request` (from 1 on) to `path` (below `/api/v1`), if anything. */
type Fault = (request: number, path: string) => Strike | undefined;
type FaultMaker = (setting: string | undefined) => Fault;

function refuse(
  status: ContentfulStatusCode,
  body: string,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): Strike {
  return { kind: 'refuse', status, body, headers };
}

const faultMakers: Readonly<Record<string, FaultMaker>> = {
  'rate-limit-storm': everyNth(
    3,
    refuse(429, '{}', {
      ...JSON_TYPE,
      ratelimit: 'limit=100, remaining=0, reset=1',
      'retry-after': '1',
    }),
  ),
  // What stands in front of Close answers for it then, and not in JSON.
  'server-error': everyNth(
    5,
    refuse(500, 'upstream connect error or disconnect/reset before headers', {
      'content-type': 'text/plain',
    }),
  ),
  'cut-body': everyNth(5, { kind: 'cut' }),
  slow: (setting) => {
    const strike: Strike = { kind: 'delay', delayMs: readWhole(setting, 500) };
    return () => strike;
  },
  unauthorized: (setting) => {
    if (setting !== undefined) throw new FaultSettingError('takes no setting');
    const strike = refuse(401, JSON.stringify(UNAUTHORIZED));
    return () => strike;
  },
  // Nobody has recorded a 403 of Close; this has the form of its other errors.
  forbidden: belowPath(
    refuse(403, JSON.stringify({ error: 'You do not have permission to perform this action.' })),
  ),
  'not-found': belowPath(refuse(404, JSON.stringify({ error: 'Not Found' }))),
};

function everyNth(whenAbsent: number, strike: Strike): FaultMaker {
  return (setting) => {
    const nth = readWhole(setting, whenAbsent);
    return (request) => (request % nth === 0 ? strike : undefined);
  };
}

function belowPath(strike: Strike): FaultMaker {
  return (setting = '') => {
    if (!setting.startsWith('/')) throw new FaultSettingError('needs a path, as "/activity/"');
    return (_, path) => (path.startsWith(setting) ? strike : undefined);
  };
}

function readWhole(setting: string | undefined, whenAbsent: number): number {
  const number = setting === undefined ? whenAbsent : Number(setting);
  if (!Number.isInteger(number) || number < 1) {
    throw new FaultSettingError('needs a whole number, 1 or more');
  }
  return number;
}

class FaultSettingError extends Error {}

/** Thrown for a fault that does not exist or has no proper setting. */
export class UnknownFaultError extends Error {
  override readonly name = 'UnknownFaultError';
}

export class Faults {
  private active: readonly Fault[] = [];
  private requests = 0;
  private struckRequests = 0;

  constructor(
    texts: readonly string[],
    private readonly basePath: string,
  ) {
    this.set(texts);
  }

  readonly lag: Lag = { eventMs: () => 0, searchMs: () => 0 };

  /** Requests that were refused or cut. */
  get struck(): number {
    return this.struckRequests;
  }

  /** Takes the place of the faults before, and counts requests from 1 again. */
  set(texts: readonly string[]): void {
    this.active = texts.map(readFault);
    this.requests = 0;
  }

  /** Keeps every request waiting for `latencyMs`, and does to it what the faults want. */
  striking(latencyMs: number): MiddlewareHandler<Env> {
    return async (c, next) => {
      const strikes = this.draw(c.req.path);
      let delayMs = latencyMs;
      for (const strike of strikes) if (strike.kind === 'delay') delayMs += strike.delayMs;
      if (delayMs > 0) await sleep(delayMs);
      const refusal = strikes.find((strike) => strike.kind === 'refuse');
      const isCut = strikes.some((strike) => strike.kind === 'cut');
      if (refusal || isCut) this.struckRequests++;
      if (refusal) return c.body(refusal.body, refusal.status, { ...refusal.headers });
      c.set('isCut', isCut);
      return next();
    };
  }

  private draw(path: string): Strike[] {
    this.requests++;
    const below = path.startsWith(this.basePath) ? path.slice(this.basePath.length) : path;
    return this.active
      .map((fault) => fault(this.requests, below))
      .filter((strike) => strike !== undefined);
  }
}

function readFault(text: string): Fault {
  const [name = '', setting] = text.split('=', 2);
  const make = faultMakers[name];
  if (!make) {
    const known = Object.keys(faultMakers).join(', ');
    throw new UnknownFaultError(`Unknown fault "${name}". Known: ${known}.`);
  }
  try {
    return make(setting);
  } catch (error) {
    if (!(error instanceof FaultSettingError)) throw error;
    throw new UnknownFaultError(`The fault "${name}" ${error.message}.`);
  }
}
