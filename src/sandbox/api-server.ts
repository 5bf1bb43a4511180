/** The HTTP side: who may call, how often, which route answers, and how the answer is written. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, unauthorized } from './api-error.js';
import { Faults, type Strike } from './faults.js';
import type { Json, JsonObject } from './json.js';
import type { Settings } from './options.js';
import { Parameters } from './parameters.js';
import { RateLimiter } from './rate-limiter.js';
import { allRoutes, RouteFinder, type FoundRoute } from './routes.js';
import type { World } from './world.js';

export const BASE_PATH = '/api/v1';
const LARGEST_BODY_BYTES = 1_000_000;

/** What the sandbox counted since it started. */
export interface SandboxStats {
  readonly requests: number;
  /** By method and pattern, as `GET /lead/{id}/`; refused requests too. */
  readonly byPath: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly rejectedByRateLimit: number;
  /** Requests that a fault struck, delays apart. */
  readonly faults: number;
  readonly records: number;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, string>;
}

export class ApiServer {
  private readonly finder = new RouteFinder(allRoutes());
  private readonly limiter: RateLimiter;
  private readonly faults: Faults;
  private readonly byPath: Record<string, number> = {};
  private readonly byStatus: Record<string, number> = {};
  private requests = 0;
  private rejectedByRateLimit = 0;
  private struck = 0;
  private records = 0;

  constructor(
    private readonly settings: Settings,
    private readonly world: World,
  ) {
    this.limiter = new RateLimiter(settings.rateLimit, settings.clockMs);
    this.faults = new Faults(settings.faults);
  }

  stats(): SandboxStats {
    const { requests, rejectedByRateLimit, records } = this;
    return {
      requests,
      byPath: { ...this.byPath },
      byStatus: { ...this.byStatus },
      rejectedByRateLimit,
      faults: this.struck,
      records,
    };
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const body = await readBody(request);
    const strikes = this.faults.next();
    const delayMs = strikes.reduce(
      (sum, strike) => sum + (strike.kind === 'delay' ? strike.delayMs : 0),
      this.settings.latencyMs,
    );
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const refusal = strikes.find((strike) => strike.kind === 'refuse');
    const reply = refusal ? this.refuse(refusal) : this.reply(request, body);
    this.byStatus[reply.status] = (this.byStatus[reply.status] ?? 0) + 1;
    const bytes = Buffer.from(reply.text);
    response.writeHead(reply.status, { ...reply.headers, 'content-length': bytes.length });
    if (!refusal && strikes.some((strike) => strike.kind === 'cut')) {
      this.struck++;
      response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => response.destroy());
      return;
    }
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  private refuse(strike: Strike & { kind: 'refuse' }): Reply {
    this.struck++;
    return { status: strike.status, text: strike.body, headers: strike.headers };
  }

  private reply(request: IncomingMessage, bodyText: string): Reply {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    try {
      const url = new URL(request.url ?? '/', 'http://sandbox.invalid');
      const body = this.answer(request, url, bodyText, headers);
      if (Array.isArray(body.data)) this.records += body.data.length;
      return { status: 200, text: JSON.stringify(body), headers };
    } catch (error) {
      const known =
        error instanceof ApiError
          ? error
          : new ApiError(500, { error: `The sandbox failed: ${String(error)}` });
      return {
        status: known.status,
        text: JSON.stringify(known.body),
        headers: { ...headers, ...known.headers },
      };
    }
  }

  private answer(
    request: IncomingMessage,
    url: URL,
    bodyText: string,
    headers: Record<string, string>,
  ): JsonObject {
    if (!url.pathname.startsWith(`${BASE_PATH}/`)) throw new ApiError(404, { error: 'Not Found' });
    // The gateway answers a path without its last slash with a redirect.
    if (!url.pathname.endsWith('/')) {
      const location = `${url.pathname}/${url.search}`;
      throw new ApiError(301, {}, { location });
    }
    const key = this.authorize(request.headers.authorization);
    const body = parseBody(bodyText);
    const isTunnelled =
      request.headers['x-http-method-override']?.toString().toUpperCase() === 'GET';
    const method = isTunnelled && request.method === 'POST' ? 'GET' : (request.method ?? 'GET');
    const { route, id } = this.find(url.pathname.slice(BASE_PATH.length), method);
    const group = `${route.method} ${route.pattern}`;
    this.byPath[group] = (this.byPath[group] ?? 0) + 1;
    this.limit(key, group, headers);
    return route.answer({
      world: this.world,
      parameters: readParameters(request, url, isTunnelled ? body : undefined),
      id,
      body,
      maxSkip: this.settings.maxSkip,
    });
  }

  /** HTTP Basic with the key as user name and an empty password (Close docs, authentication). */
  private authorize(header: string | undefined): string {
    const [scheme, encoded = ''] = (header ?? '').split(' ');
    if (scheme?.toLowerCase() !== 'basic') throw unauthorized();
    const [key = '', password = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    const { apiKey } = this.settings;
    const isKnown = apiKey === null ? key.startsWith('api_') : key === apiKey;
    if (!isKnown || password !== '') throw unauthorized();
    return key;
  }

  private find(path: string, method: string): FoundRoute {
    const found = this.finder.at(path);
    if (found.length === 0) throw new ApiError(404, { error: 'Not Found' });
    const wanted = method === 'HEAD' ? 'GET' : method;
    const match = found.find(({ route }) => route.method === wanted);
    if (!match) throw new ApiError(405, { error: 'Method Not Allowed' });
    return match;
  }

  private limit(key: string, group: string, headers: Record<string, string>): void {
    const state = this.limiter.take(key, group);
    if (!state) return;
    headers.ratelimit = state.header;
    if (state.isAllowed) return;
    this.rejectedByRateLimit++;
    // The body is deprecated and says nothing (Close docs, changelog of 2024-04-24).
    throw new ApiError(429, {}, { 'retry-after': String(state.resetSeconds) });
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LARGEST_BODY_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): JsonObject | undefined {
  if (text === '') return undefined;
  try {
    const body = JSON.parse(text) as Json;
    if (body !== null && typeof body === 'object' && !Array.isArray(body)) return body;
  } catch {
    // Told below, together with JSON that is no object.
  }
  throw new ApiError(400, { error: 'The request body is not a JSON object.' });
}

/**
 * From the address, or from `_params` of a GET tunnelled through POST (Close docs, specifying
 * filter parameters).
 */
function readParameters(
  request: IncomingMessage,
  url: URL,
  tunnelled: JsonObject | undefined,
): Parameters {
  const values = new Map<string, string>(url.searchParams);
  const more = tunnelled?._params;
  if (more && typeof more === 'object' && !Array.isArray(more)) {
    for (const [name, value] of Object.entries(more)) values.set(name, parameterText(value));
  }
  const offset = Number(request.headers['x-tz-offset'] ?? 0);
  return new Parameters(values, Number.isFinite(offset) ? offset : 0);
}

function parameterText(value: Json): string {
  if (Array.isArray(value)) return value.map(parameterText).join(',');
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}
