/** `/event/` and `/event/{id}/`: the log of changes, by cursor. */
import { Hono } from 'hono';
import type { JsonObject } from '../json.js';
import { MICROS_PER_MS } from '../moment.js';
import { placeOf, RETENTION_MS, type LogEvent, type Place } from '../world/event-log.js';
import { ApiError, fieldError, noSuch } from './api-error.js';
import { answerItem, answerList, type Account, type ApiContext, type Env } from './context.js';
import { readTimeRange, type Parameters } from './listing.js';

/** Cap and default (Close's OpenAPI document, read 2026-11). */
const MAX_LIMIT = 50;
/** Older events come without their data to keys of people who are no administrators. */
const DATA_FOR_ALL_MS = 3_600_000;

const FILTERS = ['action', 'lead_id', 'object_id', 'object_type', 'request_id', 'user_id'] as const;
type Filter = (typeof FILTERS)[number];

/** Only these go together; `date_updated` may join any (Close's OpenAPI document, read 2026-11). */
const COMBINATIONS: ReadonlySet<string> = new Set([
  '',
  'object_id,object_type',
  'action,object_type',
  'action,object_id',
  'action,object_id,object_type',
  'lead_id,object_type',
  'action,lead_id,object_type',
  'lead_id,user_id',
  'lead_id,object_type,user_id',
  'action,lead_id,object_type,user_id',
  'object_id,user_id',
  'action,object_id,user_id',
  'object_type,user_id',
  'action,object_type,user_id',
  'lead_id',
  'user_id',
  'request_id',
]);

interface Cursor {
  readonly isNewer: boolean;
  readonly place: Place;
}

export function events(account: Account): Hono<Env> {
  const { world } = account;
  const app = new Hono<Env>();
  app.get('/event/', (c) => answerList(c, list(account, c)));
  app.get('/event/:id/', (c) => {
    const number = world.eventMaker.numberOf(c.req.param('id'));
    const event = number === undefined ? undefined : world.eventLog.byNumber(number);
    if (!event || !isVisible(account, event)) throw noSuch('Event');
    return answerItem(c, makeFor(account, c, event), 'Event');
  });
  return app;
}

function nowMs({ world }: Account): number {
  return world.nowMicros / MICROS_PER_MS;
}

/** Neither forgotten nor, where a fault delays them, still to come. */
function isVisible(account: Account, event: LogEvent): boolean {
  const ageMs = nowMs(account) - event.updatedMs;
  return ageMs <= RETENTION_MS && ageMs >= account.lag.eventMs(event.number);
}

function makeFor(account: Account, c: ApiContext, event: LogEvent): JsonObject {
  const made = account.world.eventMaker.make(event);
  const isOld = nowMs(account) - event.updatedMs > DATA_FOR_ALL_MS;
  if (!isOld || c.get('role') === 'admin') return made;
  delete made.data;
  delete made.previous_data;
  return made;
}

type EventPage = JsonObject & { data: JsonObject[] };

function list(account: Account, c: ApiContext): EventPage {
  const parameters = c.get('parameters');
  const limit = parameters.count('_limit', MAX_LIMIT);
  if (limit > MAX_LIMIT) {
    throw fieldError('_limit', `Must be ${String(MAX_LIMIT)} or less.`);
  }
  const given = FILTERS.filter((name) => parameters.has(name));
  if (!COMBINATIONS.has(given.join(','))) {
    throw new ApiError(400, {
      error: `This combination of filters is not supported: ${given.join(', ')}.`,
    });
  }
  const cursor = readCursor(parameters);
  const matches = matcher(account, c, parameters, given);
  const page = cursor
    ? pageAt(account, cursor, limit + parameters.extraRows, matches)
    : firstPage(account, parameters, limit + parameters.extraRows, matches);
  return {
    data: page.events.map((event) => makeFor(account, c, event)),
    cursor_next: page.hasOlder ? writeCursor(false, page.events.at(-1)) : null,
    cursor_previous: page.hasNewer ? writeCursor(true, page.events[0]) : null,
  };
}

interface FoundPage {
  readonly events: readonly LogEvent[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
}
type Matches = (event: LogEvent) => boolean;

function firstPage(
  account: Account,
  parameters: Parameters,
  limit: number,
  matches: Matches,
): FoundPage {
  const range = readTimeRange(parameters, 'date_updated');
  const fromMs = Math.ceil(range.from / MICROS_PER_MS);
  // Everything before the first whole millisecond that is outside.
  const start = { ms: Math.ceil(range.to / MICROS_PER_MS), number: -1 };
  const isWanted: Matches = (event) => event.updatedMs >= fromMs && matches(event);
  const { found, isMore } = take(downTo(account, start, fromMs), limit, isWanted);
  return { events: found, hasOlder: isMore, hasNewer: false };
}

/** Filters of `date_updated` do not count beside a cursor (Close's OpenAPI document, read 2026-11). */
function pageAt(account: Account, cursor: Cursor, limit: number, matches: Matches): FoundPage {
  const { eventLog } = account.world;
  if (cursor.isNewer) {
    const { found, isMore } = take(eventLog.upFrom(cursor.place), limit, matches);
    return { events: found.reverse(), hasOlder: true, hasNewer: isMore };
  }
  const { found, isMore } = take(downTo(account, cursor.place, 0), limit, matches);
  return { events: found, hasOlder: isMore, hasNewer: true };
}

function* downTo(account: Account, place: Place, fromMs: number): Generator<LogEvent> {
  const oldest = Math.max(fromMs, nowMs(account) - RETENTION_MS);
  for (const event of account.world.eventLog.downFrom(place)) {
    if (event.updatedMs < oldest) return;
    yield event;
  }
}

function take(
  from: Iterable<LogEvent>,
  limit: number,
  matches: Matches,
): { found: LogEvent[]; isMore: boolean } {
  const found: LogEvent[] = [];
  for (const event of from) {
    if (!matches(event)) continue;
    if (found.length === limit) return { found, isMore: limit > 0 };
    found.push(event);
  }
  return { found, isMore: false };
}

function matcher(
  account: Account,
  c: ApiContext,
  parameters: Parameters,
  given: readonly Filter[],
): Matches {
  const { eventMaker } = account.world;
  const readers: Record<Filter, (event: LogEvent) => string | null> = {
    action: (event) => event.action,
    lead_id: (event) => eventMaker.leadIdOf(event),
    object_id: (event) => eventMaker.objectIdOf(event),
    object_type: (event) => eventMaker.objectTypeOf(event),
    request_id: (event) => eventMaker.requestIdOf(event),
    user_id: (event) => eventMaker.userIdOf(event),
  };
  const wanted = given.map((name) => [readers[name], parameters.text(name)] as const);
  const mayRead = account.rights.reader(c);
  return (event) =>
    isVisible(account, event) &&
    wanted.every(([read, value]) => read(event) === value) &&
    mayRead.lead(eventMaker.leadIdOf(event));
}

function writeCursor(isNewer: boolean, event: LogEvent | undefined): string | null {
  if (!event) return null;
  const { ms, number } = placeOf(event);
  const text = `${isNewer ? 'newer' : 'older'} ${String(ms)} ${String(number)}`;
  return Buffer.from(text).toString('base64url');
}

/** An empty cursor asks for the first page (Close's own scripts send it). */
function readCursor(parameters: Parameters): Cursor | undefined {
  const text = parameters.text('_cursor');
  if (text === undefined) return undefined;
  const plain = Buffer.from(text, 'base64url').toString();
  const match = /^(newer|older) (\d+) (\d+)$/.exec(plain);
  if (!match) throw fieldError('_cursor', 'Invalid cursor.');
  const [, side, ms, number] = match;
  return { isNewer: side === 'newer', place: { ms: Number(ms), number: Number(number) } };
}
