/** What happens to a request between the socket and its handler. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono, MiddlewareHandler } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { matchedRoutes } from 'hono/route';
import type { Json, JsonObject } from '../json.js';
import { ApiError, UNAUTHORIZED } from './api-error.js';
import { deliver, type Answer } from './answer.js';
import type { ApiContext, Env } from './context.js';
import { Parameters } from './listing.js';
import type { Rights, Role } from './rights.js';

type Middleware = MiddlewareHandler<Env>;

/** "Above about 2,000 characters" addresses may be refused (Close docs, filter parameters). */
const LONGEST_URL = 2_000;
const inTunnel = new WeakSet<object>();

/**
 * A GET tunnelled through POST, with its parameters in `_params` of the body (Close docs,
 * specifying filter parameters), is handed in again as the GET that it stands for.
 */
export function tunnelled(app: Hono<Env>): Middleware {
  return async (c, next) => {
    // The address that a tunnelled request is handed in with again may be as long as it likes.
    if (c.req.url.length > LONGEST_URL && !inTunnel.has(c.env.incoming)) {
      return c.text('Request-URI Too Long', 414);
    }
    const isTunnelled =
      c.req.method === 'POST' && c.req.header('x-http-method-override')?.toUpperCase() === 'GET';
    if (!isTunnelled) return next();
    const url = new URL(c.req.url);
    for (const [name, value] of Object.entries(await readTunnel(c))) {
      url.searchParams.set(name, parameterText(value));
    }
    inTunnel.add(c.env.incoming);
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
 * Writes the answer to the socket, as the faults of the request want it. The adapter would pass it
 * on through a web stream, which costs more than a tenth of the throughput.
 */
export function sent(): Middleware {
  return async (c, next) => {
    await next();
    if (c.res === RESPONSE_ALREADY_SENT) return;
    const { outgoing } = c.env;
    const asked = { endpoint: c.get('endpoint') ?? '', path: c.req.path, url: c.req.url };
    let answer: Answer = {
      status: c.res.status,
      headers: Object.fromEntries(c.res.headers),
      bytes: c.get('bytes') ?? Buffer.from(await c.res.arrayBuffer()),
      delivery: 'whole',
    };
    for (const alter of c.get('alterations') ?? []) answer = alter(answer, asked);
    deliver(outgoing, answer, c.req.method === 'HEAD');
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
    for (const name of c.get('ignored') ?? []) values.delete(name);
    const offsetHours = Number.isFinite(offset) ? offset : 0;
    c.set('parameters', new Parameters(values, offsetHours, c.get('extraRows')));
    await next();
  };
}
