/** Every fault by its name. A new one is an entry here. */
import { gzipSync } from 'node:zlib';
import type { Json, JsonObject } from '../json.js';
import { hashText, Random } from '../random.js';
import { LiveChanges } from '../world/live-changes.js';
import { alterJson, type Alteration, type Answer } from './answer.js';
import { UNAUTHORIZED } from './api-error.js';
import {
  always,
  belowPath,
  everyNth,
  oneOf,
  refuse,
  withNumber,
  withText,
  type Fault,
  type FaultKind,
  type Strike,
} from './fault-kinds.js';
import { bodyForms, headerForms } from './rate-limit.js';
import { FORBIDDEN } from './rights.js';

/** What stands in front of Close answers for it then, and not in JSON. */
const GATEWAY_TEXT = 'upstream connect error or disconnect/reset before headers';
const TEXT = { 'content-type': 'text/plain' };
const HTML = { 'content-type': 'text/html' };
const PAGE = '<!DOCTYPE html><html><body><h1>We will be right back</h1></body></html>';

function altered(alter: Alteration): Strike {
  return { alter };
}

function delivered(delivery: Answer['delivery']): Strike {
  return altered((answer) => ({ ...answer, delivery }));
}

function listAltered(alter: (rows: Json[], body: JsonObject) => JsonObject): Strike {
  return altered(
    alterJson((body) => (Array.isArray(body.data) ? { ...body, ...alter(body.data, body) } : body)),
  );
}

const refusals: Readonly<Record<string, FaultKind>> = {
  'rate-limit-storm': everyNth('429, nothing remaining', 3, {
    refuse: { status: 429, headers: {}, body: '', remaining: 0 },
  }),
  'hidden-limit': everyNth('429 though the header says that some requests remain', 10, {
    refuse: { status: 429, headers: {}, body: '', remaining: 50 },
  }),
  'server-error': everyNth('500 in plain text', 5, refuse(500, GATEWAY_TEXT, TEXT)),
  'bad-gateway': everyNth('502 in HTML', 5, refuse(502, PAGE, HTML)),
  unavailable: everyNth('503 in plain text', 5, refuse(503, GATEWAY_TEXT, TEXT)),
  'gateway-timeout': everyNth('504 that calls itself JSON and is empty', 5, refuse(504, '')),
  'request-timeout': everyNth('408', 5, refuse(408, '', TEXT)),
  unauthorized: always('401 to everything', refuse(401, JSON.stringify(UNAUTHORIZED))),
  // Nobody has recorded a 403 of Close; this has the form of its other errors.
  forbidden: belowPath('403 below a path', refuse(403, JSON.stringify(FORBIDDEN))),
  'not-found': belowPath(
    '404 below a path, as where the account lacks such objects',
    refuse(404, JSON.stringify({ error: 'Not Found' })),
  ),
  broken: belowPath('500 below a path, for ever', refuse(500, GATEWAY_TEXT, TEXT)),
  'plan-limit': belowPath(
    '402 below a path',
    refuse(402, JSON.stringify({ error: 'Your plan does not include this.' })),
  ),
  redirect: withText('302 to another address', 'URL', (url) => ({
    strike: (_, path) => refuse(302, '', { location: `${url.replace(/\/$/, '')}${path}` }),
  })),
  'redirect-self': everyNth('302 to the same address', 5, {
    alter: (answer, { url }) => ({ ...answer, status: 302, headers: { location: url } }),
  }),
};

const connections: Readonly<Record<string, FaultKind>> = {
  slow: withNumber('each answer comes so many milliseconds later', 500, (delayMs) => ({
    strike: () => ({ delayMs }),
  })),
  hang: everyNth('no answer, the connection stays open', 10, { silence: 'hang' }),
  reset: everyNth('no answer, the connection breaks', 10, { silence: 'reset' }),
  'cut-body': everyNth('the connection breaks in the middle of the body', 5, delivered('cut')),
  'early-end': everyNth('half the body, properly ended', 5, delivered('early')),
  stall: everyNth('all but the last byte, then nothing', 10, delivered('stall')),
  'lost-keep-alive': everyNth(
    'the connection breaks behind a good answer',
    1,
    delivered('hang-up'),
  ),
  'endless-body': everyNth('a body that never ends', 10, delivered('endless')),
  drip: everyNth('the body in small pieces, slowly', 5, delivered('drip')),
};

function gzipped(alter: (packed: Buffer) => Buffer): Strike {
  return altered((answer) => ({
    ...answer,
    headers: { ...answer.headers, 'content-encoding': 'gzip' },
    bytes: alter(gzipSync(answer.bytes)),
  }));
}

function flipped(packed: Buffer): Buffer {
  const place = packed.length >> 1;
  packed[place] = (packed[place] ?? 0) ^ 0x10;
  return packed;
}

const bodies: Readonly<Record<string, FaultKind>> = {
  html: everyNth(
    '200 with an HTML page',
    5,
    altered((answer) => ({ ...answer, headers: HTML, bytes: Buffer.from(PAGE) })),
  ),
  'html-as-json': everyNth(
    '200 with an HTML page that calls itself JSON',
    5,
    altered((answer) => ({ ...answer, bytes: Buffer.from(PAGE) })),
  ),
  'wrong-type': everyNth(
    'JSON that calls itself HTML',
    5,
    altered((answer) => ({ ...answer, headers: { ...answer.headers, ...HTML } })),
  ),
  'wrong-length': everyNth(
    'content-length promises more than comes',
    5,
    altered((answer) => {
      const length = String(answer.bytes.length + 100);
      return {
        ...answer,
        headers: { ...answer.headers, 'content-length': length },
        delivery: 'cut',
      };
    }),
  ),
  'empty-body': everyNth(
    '200 without a body',
    5,
    altered((answer) => ({ ...answer, bytes: Buffer.alloc(0) })),
  ),
  'no-content': everyNth(
    '204',
    5,
    altered((answer) => ({ ...answer, status: 204, headers: {}, bytes: Buffer.alloc(0) })),
  ),
  'null-body': everyNth(
    '200 with null',
    5,
    altered((answer) => ({ ...answer, bytes: Buffer.from('null') })),
  ),
  'error-body': everyNth(
    '200 with an error inside',
    5,
    altered((answer) => ({ ...answer, bytes: Buffer.from('{"error": "Something went wrong."}') })),
  ),
  'data-object': everyNth(
    '"data" is an object',
    5,
    listAltered(() => ({ data: {} })),
  ),
  'huge-body': withNumber('each body is so many megabytes long', 40, (megabytes) => ({
    strike: () =>
      altered((answer) => ({
        ...answer,
        bytes: Buffer.concat([answer.bytes, Buffer.alloc(megabytes * 1_000_000, ' ')]),
      })),
  })),
  gzip: everyNth(
    'a compressed body, as it should be',
    1,
    gzipped((packed) => packed),
  ),
  'gzip-flip': everyNth('a compressed body with one bit flipped', 5, gzipped(flipped)),
  'gzip-cut': everyNth(
    'half of a compressed body',
    5,
    gzipped((packed) => packed.subarray(0, packed.length >> 1)),
  ),
  'gzip-no-trailer': everyNth(
    'a compressed body without its checksum',
    5,
    gzipped((packed) => packed.subarray(0, -8)),
  ),
  'gzip-lie': everyNth(
    'a plain body that calls itself compressed',
    5,
    altered((answer) => ({
      ...answer,
      headers: { ...answer.headers, 'content-encoding': 'gzip' },
    })),
  ),
};

/** Lists that are not what they should be. */
const lists: Readonly<Record<string, FaultKind>> = {
  'duplicate-rows': everyNth('the first row comes again at the end', 1, {
    ...listAltered((rows) => ({ data: rows.length > 1 ? [...rows, rows[0] ?? null] : rows })),
  }),
  'shuffled-rows': everyNth('rows in no order', 1, (request) =>
    listAltered((rows) => ({ data: shuffled(rows, request) })),
  ),
  'repeat-page': {
    ...everyNth('', 4, {}),
    summary: 'the answer before comes again (every 4th)',
    make: (setting) => repeating(everyNth('', 4, {}).make(setting)),
  },
  'has-more-missing': everyNth(
    'lists do not say "has_more"',
    1,
    altered(
      alterJson((body) => {
        delete body.has_more;
        return body;
      }),
    ),
  ),
  'has-more-true': everyNth(
    '"has_more" is true at the end, too',
    1,
    altered(alterJson((body) => ('has_more' in body ? { ...body, has_more: true } : body))),
  ),
  'has-more-false': everyNth(
    '"has_more" is false though there is more',
    5,
    altered(alterJson((body) => ('has_more' in body ? { ...body, has_more: false } : body))),
  ),
  'total-too-high': everyNth(
    '"total_results" counts five rows that there are not',
    1,
    altered(
      alterJson((body) =>
        typeof body.total_results === 'number'
          ? { ...body, total_results: body.total_results + 5 }
          : body,
      ),
    ),
  ),
  'hidden-rows': everyNth(
    'every tenth record is counted, and given by its id alone',
    1,
    listAltered((rows) => ({ data: rows.filter((row) => !isHidden(row)) })),
  ),
  'long-pages': everyNth('pages are longer than asked for', 1, { extraRows: 7 }),
  'short-pages': everyNth('pages are shorter than asked for, with more to come', 1, {
    extraRows: -3,
  }),
  'ignored-filters': withText(
    'the server does not know these parameters',
    'NAME[,NAME]',
    (text) => {
      const ignored = text.split(',');
      return { strike: () => ({ ignored }) };
    },
  ),
  'mixed-times': everyNth(
    'every second row writes its times with Z',
    1,
    listAltered((rows) => ({ data: rows.map((row, at) => (at % 2 === 1 ? withZ(row) : row)) })),
  ),
  'cursor-loop': everyNth(
    '"cursor_next" is the cursor that was sent',
    1,
    altered(
      alterJson((body, { url }) => {
        const sent = new URL(url).searchParams.get('_cursor') ?? '';
        return sent !== '' && 'cursor_next' in body ? { ...body, cursor_next: sent } : body;
      }),
    ),
  ),
  moving: everyNth('a record changes before the request is answered', 1, (request) => ({
    act: (world) => {
      LiveChanges.applyNow(world, request);
    },
  })),
  'late-events': withNumber(
    'events show up to so many seconds late, in another order than they happened',
    60,
    (seconds) => ({ eventLagMs: seconds * 1_000 }),
  ),
  'search-lag': withNumber('changes show in searches so many seconds late', 5, (seconds) => ({
    searchLagMs: seconds * 1_000,
  })),
};

const limits: Readonly<Record<string, FaultKind>> = {
  'rate-limit-headers': oneOf('how the limit is told in headers', headerForms, (headers) => ({
    forms: { headers },
  })),
  'rate-limit-body': oneOf('what the body of a 429 is', bodyForms, (body) => ({ forms: { body } })),
  'rate-limit-reset': withText(
    'told in place of the seconds until the window ends, as -5, 1e9 or soon',
    'TEXT',
    (reset) => ({ forms: { reset } }),
  ),
};

export const faultKinds: Readonly<Record<string, FaultKind>> = {
  ...refusals,
  ...connections,
  ...bodies,
  ...lists,
  ...limits,
};

/** What passes by itself, so that a run under it must end well. */
export const passingFaults: readonly string[] = [
  ...['rate-limit-storm', 'server-error', 'bad-gateway', 'unavailable', 'gateway-timeout'],
  ...['request-timeout', 'reset', 'cut-body', 'early-end', 'drip', 'html', 'html-as-json'],
  ...['wrong-length', 'empty-body', 'null-body', 'error-body', 'data-object', 'gzip-flip'],
  ...['gzip-cut', 'gzip-no-trailer', 'gzip-lie', 'duplicate-rows', 'short-pages', 'moving'],
];

/** The last answer of the same list that had rows; the first time there is none. */
function repeating(chosen: Fault): Fault {
  const before = new Map<string, Buffer>();
  return {
    strike: (request, path) => {
      const isChosen = chosen.strike?.(request, path) !== undefined;
      return altered((answer, { endpoint }) => {
        const known = before.get(endpoint);
        if (!answer.bytes.includes('"data":[]')) before.set(endpoint, answer.bytes);
        return isChosen && known && answer.status === 200 ? { ...answer, bytes: known } : answer;
      });
    },
  };
}

/** The same records in each answer. */
function isHidden(row: Json): boolean {
  const { id } = row as JsonObject;
  return typeof id === 'string' && hashText(id) % 10 === 0;
}

function shuffled(rows: readonly Json[], request: number): Json[] {
  const random = new Random(request, 140, 0);
  const left = [...rows];
  return rows.map(() => left.splice(random.below(left.length), 1)[0] ?? null);
}

function withZ(value: Json): Json {
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)\+00:00$/, '$1Z');
  if (Array.isArray(value)) return value.map(withZ);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withZ(one)]));
}
