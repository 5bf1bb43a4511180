/** What happens to a request between the socket and its handler. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono, MiddlewareHandler } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { matchedRoutes } from 'hono/route';
import type { Json, JsonObject } from '../json.js';
import { ApiError, UNAUTHORIZED } from './api-error.js';
import type { ApiContext, Env } from './context.js';
import { Parameters } from './listing.js';
import type { Rights, Role } from './rights.js';

type Middleware = MiddlewareHandler<Env>;

/**
 * A GET tunnelled through POST, with its parameters in `_params` of the body (Close docs,
 * specifying filter parameters), is handed in again as the GET that it stands for.
 */
export function tunnelled(app: Hono<Env>): Middleware {
  return async (c, next) => {
    const isTunnelled =
      c.req.method === 'POST' && c.req.header('x-http-method-override')?.toUpperCase() === 'GET';
    if (!isTunnelled) return next();
    const url = new URL(c.req.url);
    for (const [name, value] of Object.entries(await readTunnel(c))) {
      url.searchParams.set(name, parameterText(value));
    }
    return app.fetch(new Request(url, { headers: c.req.header() }), c.env);
  };
}

async function readTunnel(c: ApiContext): Promise<JsonObject> {
  const text = await c.req.text();
  if (text === '') return {};
  try {
    const body = JSON.parse(text) as Json;
    if (isObject(body)) return isObject(body._params) ? body._params : {};
  } catch {
    // Told below, together with JSON that is no object.
  }
  throw new ApiError(400, { error: 'The request body is not a JSON object.' });
}

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function parameterText(value: Json): string {
  if (Array.isArray(value)) return value.map(parameterText).join(',');
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}

/**
 * Writes the answer to the socket: whole, or half of it where a fault wants that. The adapter would
 * pass it on through a web stream, which costs more than a tenth of the throughput.
 */
export function sent(): Middleware {
  return async (c, next) => {
    await next();
    const { outgoing } = c.env;
    const bytes = c.get('bytes') ?? Buffer.from(await c.res.arrayBuffer());
    const headers = Object.fromEntries(c.res.headers);
    outgoing.writeHead(c.res.status, { ...headers, 'content-length': bytes.length });
    if (c.get('isCut') === true) {
      outgoing.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => outgoing.destroy());
    } else {
      outgoing.end(c.req.method === 'HEAD' ? undefined : bytes);
    }
    // Taken away first: a response that is replaced hands its headers down to the next.
    c.res = undefined;
    c.res = RESPONSE_ALREADY_SENT;
  };
}

/** What the sandbox counted since it started. */
export class Counts {
  requests = 0;
  records = 0;
  readonly byPath: Record<string, number> = {};
  readonly byStatus: Record<string, number> = {};
}

/** Counts before anything can refuse the request, and names its endpoint for those that follow. */
export function counted(counts: Counts, basePath: string): Middleware {
  const names = new Map<string, string>();
  return async (c, next) => {
    counts.requests++;
    const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
    if (route) {
      let name = names.get(route.path);
      if (name === undefined) {
        const pattern = route.path.slice(basePath.length).replace(/:(\w+)/g, '{$1}');
        name = `${route.method} ${pattern}`;
        names.set(route.path, name);
      }
      counts.byPath[name] = (counts.byPath[name] ?? 0) + 1;
      c.set('endpoint', name);
    }
    await next();
    counts.byStatus[c.res.status] = (counts.byStatus[c.res.status] ?? 0) + 1;
    counts.records += c.get('recordCount') ?? 0;
  };
}

/** The gateway in front of Close answers a path without its last slash with a redirect. */
export function slashAdded(): Middleware {
  return async (c, next) => {
    if (c.req.path.endsWith('/')) return next();
    // Hono's own middleware names the host; a location without it follows the caller's.
    const { pathname, search } = new URL(c.req.url);
    return c.redirect(`${pathname}/${search}`, 301);
  };
}

export interface Access {
  apiKey: string | null;
  /** The role of every key that has none of its own. */
  role: Role;
  readonly roleOfKey: Map<string, Role>;
}

/** HTTP Basic with the key as user name and an empty password (Close docs, authentication). */
export function authorized(access: Access): Middleware {
  return basicAuth({
    verifyUser: (key, password) =>
      password === '' && (access.apiKey === null ? key.startsWith('api_') : key === access.apiKey),
    invalidUserMessage: UNAUTHORIZED,
    onAuthSuccess: (c: ApiContext, key) => {
      c.set('key', key);
      c.set('role', access.roleOfKey.get(key) ?? access.role);
    },
  });
}

export function permitted(rights: Rights, basePath: string): Middleware {
  return (c, next) => {
    rights.check(c.get('role'), c.req.path.slice(basePath.length));
    return next();
  };
}

export function withParameters(): Middleware {
  return async (c, next) => {
    const offset = Number(c.req.header('x-tz-offset') ?? 0);
    const values = new Map(new URL(c.req.url).searchParams);
    c.set('parameters', new Parameters(values, Number.isFinite(offset) ? offset : 0));
    await next();
  };
}

/** One second: `ratelimit-limit: 60` with `60;w=1` (recorded answer of April 2022). */
const WINDOW_MS = 1_000;

/**
 * Counts requests for each key and endpoint in windows of fixed length. A window starts with the
 * first request after the one before has ended.
 */
export class RateLimiter {
  private readonly windows = new Map<string, { endsAtMs: number; used: number }>();
  private rejectedRequests = 0;

  constructor(
    private readonly requestsPerSecond: number,
    private readonly clockMs: () => number,
  ) {}

  get rejected(): number {
    return this.rejectedRequests;
  }

  limited(): Middleware {
    if (this.requestsPerSecond <= 0) return (_, next) => next();
    return async (c, next) => {
      const endpoint = c.get('endpoint');
      if (endpoint === undefined) return next();
      const { isAllowed, header, resetSeconds } = this.take(`${c.get('key')} ${endpoint}`);
      c.header('ratelimit', header);
      if (isAllowed) return next();
      this.rejectedRequests++;
      // The body is deprecated and says nothing (Close docs, changelog of 2024-04-24).
      return c.json({}, 429, { 'retry-after': String(resetSeconds) });
    };
  }

  /** Counts one request; the header is as in Close's changelog of 2023-07-21. */
  private take(name: string): { isAllowed: boolean; header: string; resetSeconds: number } {
    const limit = Math.max(1, Math.floor((this.requestsPerSecond * WINDOW_MS) / 1_000));
    const nowMs = this.clockMs();
    let window = this.windows.get(name);
    if (!window || nowMs >= window.endsAtMs) {
      window = { endsAtMs: nowMs + WINDOW_MS, used: 0 };
      this.windows.set(name, window);
    }
    const isAllowed = window.used < limit;
    if (isAllowed) window.used++;
    const resetSeconds = Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1_000));
    const remaining = String(limit - window.used);
    const header = `limit=${String(limit)}, remaining=${remaining}, reset=${String(resetSeconds)}`;
    return { isAllowed, header, resetSeconds };
  }
}
