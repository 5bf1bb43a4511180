/** The HTTP side: which middleware a request passes, and which routes there are. */
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { Settings } from '../options.js';
import type { World } from '../world/world.js';
import { activities } from './activities.js';
import { ApiError } from './api-error.js';
import { children } from './children.js';
import { JSON_TYPE, type ApiContext, type Env } from './context.js';
import { events } from './events.js';
import { Faults } from './faults.js';
import { leads } from './leads.js';
import {
  authorized,
  counted,
  Counts,
  permitted,
  sent,
  slashAdded,
  tunnelled,
  withParameters,
  type Access,
} from './middleware.js';
import { RateLimiter } from './rate-limit.js';
import { Rights, type Role } from './rights.js';
import { search } from './search.js';
import { settings } from './settings.js';

export const BASE_PATH = '/api/v1';

/** What the sandbox counted since it started. */
export interface SandboxStats {
  readonly requests: number;
  /** By method and pattern, as `GET /lead/{id}/`; refused requests too. */
  readonly byPath: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly rejectedByRateLimit: number;
  /** Requests that a fault refused, cut or altered. */
  readonly faults: number;
  /** How often each fault struck, by its name. */
  readonly faultsByName: Readonly<Record<string, number>>;
  readonly records: number;
}

/** What can be asked and set while the sandbox runs. */
export interface ApiControls {
  readonly stats: () => SandboxStats;
  /** From the next request on, these faults and no others; the names are in `fault-list.ts`. */
  readonly setFaults: (faults: readonly string[]) => void;
  /** From the next request on, the one key that is let in; null lets any in that looks like one. */
  readonly setApiKey: (key: string | null) => void;
  /** From the next request on, the role of a key; without a key that of all others. */
  readonly setRole: (role: Role, key?: string) => void;
}

export interface Api extends ApiControls {
  readonly fetch: Hono<Env>['fetch'];
}

export function makeApi(options: Settings, world: World): Api {
  const counts = new Counts();
  const faults = new Faults(options.faults, BASE_PATH, world);
  const limiter = new RateLimiter(options.rateLimit, options.clockMs, faults.forms);
  const access: Access = {
    apiKey: options.apiKey,
    role: options.role,
    roleOfKey: new Map(Object.entries(options.roles)),
  };
  const rights = new Rights(world);
  const maxSkip = (c: ApiContext): number => {
    const [, path = ''] = (c.get('endpoint') ?? '').split(' ');
    return options.maxSkips[path.replace(/^\/|\/$/g, '')] ?? options.maxSkip;
  };
  const account = { world, maxSkip, rights, lag: faults.lag };

  const app = new Hono<Env>();
  // In the order in which a request meets them: what refuses comes after what counts.
  app.use(tunnelled(app));
  app.use(sent(), counted(counts, BASE_PATH), faults.striking(options.latencyMs));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c) => c.json({ error: 'Method Not Allowed' }, 405),
    }),
  );
  app.use(`${BASE_PATH}/*`, slashAdded(), authorized(access), limiter.limited());
  app.use(`${BASE_PATH}/*`, permitted(rights, BASE_PATH), withParameters());
  for (const resource of [leads, activities, children, events, search, settings]) {
    app.route(BASE_PATH, resource(account));
  }
  app.notFound((c) => c.json({ error: 'Not Found' }, 404));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof ApiError) return c.body(error.message, error.status, JSON_TYPE);
    return c.json({ error: `The sandbox failed: ${String(error)}` }, 500);
  });

  return {
    fetch: app.fetch,
    stats: () => ({
      requests: counts.requests,
      byPath: { ...counts.byPath },
      byStatus: { ...counts.byStatus },
      rejectedByRateLimit: limiter.rejected,
      faults: faults.struck,
      faultsByName: { ...faults.byName },
      records: counts.records,
    }),
    setFaults: (names) => {
      faults.set(names);
    },
    setApiKey: (key) => {
      access.apiKey = key;
    },
    setRole: (role, key) => {
      if (key === undefined) access.role = role;
      else access.roleOfKey.set(key, role);
    },
  };
}
