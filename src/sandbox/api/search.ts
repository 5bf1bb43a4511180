/** `POST /data/search/` (Close docs, advanced filtering, read 2026-11). */
import { Hono } from 'hono';
import { textOf, type Json, type JsonObject } from '../json.js';
import { MICROS_PER_MS } from '../moment.js';
import { userWithRole } from '../records/organization-records.js';
import { fieldError } from './api-error.js';
import { answerList, type Account, type ApiContext, type Env } from './context.js';
import { pickFields, type TimeRange } from './listing.js';
import {
  fieldName,
  isTimeField,
  objectAt,
  readQuery,
  type Candidate,
  type SearchQuery,
  type TimeFieldName,
} from './search-query.js';
import { searchSource, type SearchSource } from './search-source.js';

const DEFAULT_LIMIT = 100;
/** In use without error; Close does not publish the ceiling. */
const MAX_LIMIT = 200;
const MAX_RESULTS = 10_000;
const CURSOR_LIFE_MS = 30_000;
/** More names than this are refused as "too long"; where the bound lies nobody has told. */
const MAX_FIELDS = 100;

interface SortKey {
  readonly name: string;
  readonly isDescending: boolean;
}

/** Where a walk stands: the sort values of its last result, and how many there were. */
interface Position {
  readonly values: readonly (number | string)[];
  readonly id: string;
  readonly served: number;
  readonly issuedMs: number;
  readonly signature: string;
}

interface Search {
  readonly query: SearchQuery;
  readonly sort: readonly SortKey[];
  readonly limit: number;
  readonly resultsLimit: number;
  readonly position: Position | undefined;
  readonly signature: string;
}

export function search(account: Account): Hono<Env> {
  const app = new Hono<Env>();
  app.post('/data/search/', async (c) => {
    const body = await readBody(c);
    return answerList(c, answer(account, c, body));
  });
  return app;
}

async function readBody(c: ApiContext): Promise<JsonObject> {
  try {
    return objectAt(await c.req.json<Json>(), 'query');
  } catch {
    throw fieldError('query', 'The request body is not a JSON object.');
  }
}

function answer(account: Account, c: ApiContext, body: JsonObject): JsonObject & { data: Json[] } {
  const { world } = account;
  const nowMs = world.nowMicros / MICROS_PER_MS;
  const wanted = readSearch(account, c, body, nowMs);
  const { objectType } = wanted.query;
  const source = searchSource(world, objectType);
  if (!source) throw fieldError('query', `Unknown object type: ${objectType}`);
  const fields = readFields(body, objectType);
  const isWanted = visibleTest(account, c, wanted.query);
  const served = wanted.position?.served ?? 0;
  const room = Math.min(wanted.limit, wanted.resultsLimit - served, MAX_RESULTS - served);
  const { found, isMore } = collect(source, wanted, isWanted, Math.max(0, room));
  checkFields(fields, objectType, found[0]);
  const isEnd = !isMore || served + found.length >= wanted.resultsLimit;
  const last = found.at(-1);
  return {
    data: found.map((candidate) => shape(candidate, objectType, fields)),
    cursor: isEnd || !last ? null : writeCursor(wanted, last, served + found.length, nowMs),
    ...(body.include_counts === true ? { count: counts(source, wanted, isWanted) } : {}),
  };
}

function readSearch(account: Account, c: ApiContext, body: JsonObject, nowMs: number): Search {
  const { world } = account;
  const userId = userWithRole(world.data.organization, c.get('role'))?.id ?? '';
  const limit = readCount(body, '_limit', DEFAULT_LIMIT);
  if (limit > MAX_LIMIT) throw fieldError('_limit', `Must be ${String(MAX_LIMIT)} or less.`);
  const signature = JSON.stringify([body.query ?? null, body.sort ?? null]);
  return {
    query: readQuery(body.query, { nowMicros: world.nowMicros, userId }),
    sort: readSort(body.sort),
    limit,
    resultsLimit: readCount(body, 'results_limit', Number.POSITIVE_INFINITY),
    position: readCursor(body.cursor, signature, nowMs),
    signature,
  };
}

function readCount(body: JsonObject, name: string, whenAbsent: number): number {
  const value = body[name] ?? null;
  if (value === null) return whenAbsent;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw fieldError(name, 'Must be a whole number, 0 or more.');
}

/** Only numbers, dates and text of the object itself can be sorted by, no ids (Close docs). */
function readSort(value: Json | undefined): SortKey[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw fieldError('sort', 'Must be a list.');
  return value.map((one) => {
    const { direction, field } = objectAt(one, 'sort');
    const name = fieldName(objectAt(field, 'sort'));
    if (name === 'id' || name.endsWith('_id')) throw fieldError('sort', `Cannot sort by ${name}.`);
    if (direction !== 'asc' && direction !== 'desc') {
      throw fieldError('sort', 'The direction must be asc or desc.');
    }
    return { name, isDescending: direction === 'desc' };
  });
}

/** The index that is searched may be some time behind, and a role may not see all of it. */
function visibleTest(
  account: Account,
  c: ApiContext,
  query: SearchQuery,
): { test: (candidate: Candidate) => boolean; isAll: boolean } {
  const reader = account.rights.reader(c);
  const lagMs = account.lag.searchMs();
  const newest = account.world.nowMicros - lagMs * MICROS_PER_MS;
  return {
    isAll: reader.seesAll && lagMs === 0 && query.isOnlyRanges,
    test: (candidate) =>
      (lagMs === 0 || candidate.updatedMicros <= newest) &&
      query.test(candidate) &&
      (reader.seesAll || reader.lead(leadIdOf(query, candidate))),
  };
}

function leadIdOf({ objectType }: SearchQuery, { id, record }: Candidate): string {
  return objectType === 'lead' ? id : textOf(record().lead_id);
}

type Wanted = ReturnType<typeof visibleTest>;

function collect(
  source: SearchSource,
  wanted: Search,
  { test }: Wanted,
  room: number,
): { found: Candidate[]; isMore: boolean } {
  const found: Candidate[] = [];
  if (room === 0) return { found, isMore: false };
  for (const candidate of inOrder(source, wanted, test)) {
    if (found.length === room) return { found, isMore: true };
    found.push(candidate);
  }
  return { found, isMore: false };
}

/** All matches behind the position, in the order that was asked for. */
function* inOrder(
  source: SearchSource,
  { query, sort, position }: Search,
  test: (candidate: Candidate) => boolean,
): Generator<Candidate> {
  const [first] = sort;
  const isByTime = first === undefined || isTimeField(first.name);
  const by: TimeFieldName = first && isTimeField(first.name) ? first.name : 'date_created';
  const isDescending = first?.isDescending ?? true;
  const range = isByTime ? behind(query.ranges[by], position, isDescending) : query.ranges[by];
  const compare = comparing(sort);
  const isBehind = (candidate: Candidate): boolean =>
    position === undefined || compare(candidate, position) > 0;
  const groups = source.groups(by, range, isDescending);
  if (isByTime) {
    for (const group of groups) {
      yield* group.filter((one) => isBehind(one) && test(one)).sort(compareBoth(sort));
    }
    return;
  }
  const all = [...groups].flat().filter((one) => isBehind(one) && test(one));
  yield* all.sort(compareBoth(sort));
}

function behind(
  range: TimeRange,
  position: Position | undefined,
  isDescending: boolean,
): TimeRange {
  const at = position?.values[0];
  if (typeof at !== 'number') return range;
  return isDescending
    ? { from: range.from, to: Math.min(range.to, at + 1) }
    : { from: Math.max(range.from, at), to: range.to };
}

function sortValues(sort: readonly SortKey[], candidate: Candidate): (number | string)[] {
  const names = sort.length === 0 ? ['date_created'] : sort.map(({ name }) => name);
  return names.map((name) => {
    if (name === 'date_created') return candidate.createdMicros;
    if (name === 'date_updated') return candidate.updatedMicros;
    const value = candidate.record()[name] ?? '';
    return typeof value === 'number' ? value : textOf(value);
  });
}

type Placed = Pick<Position, 'values' | 'id'>;

function comparePlaced(sort: readonly SortKey[], one: Placed, other: Placed): number {
  for (const [at, value] of one.values.entries()) {
    const against = other.values[at] ?? '';
    if (value === against) continue;
    const isLess =
      typeof value === 'number' && typeof against === 'number'
        ? value < against
        : String(value) < String(against);
    return isLess === (sort[at]?.isDescending ?? true) ? 1 : -1;
  }
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}

function comparing(sort: readonly SortKey[]) {
  return (candidate: Candidate, position: Position): number =>
    comparePlaced(sort, { values: sortValues(sort, candidate), id: candidate.id }, position);
}

function compareBoth(sort: readonly SortKey[]) {
  return (one: Candidate, other: Candidate): number =>
    comparePlaced(
      sort,
      { values: sortValues(sort, one), id: one.id },
      { values: sortValues(sort, other), id: other.id },
    );
}

function counts(source: SearchSource, wanted: Search, { test, isAll }: Wanted): JsonObject {
  const { ranges } = wanted.query;
  const isOpen = ranges.date_updated.from === Number.NEGATIVE_INFINITY;
  const by =
    isOpen && ranges.date_updated.to === Number.POSITIVE_INFINITY ? 'date_created' : 'date_updated';
  const other = by === 'date_created' ? ranges.date_updated : ranges.date_created;
  const isOtherOpen =
    other.from === Number.NEGATIVE_INFINITY && other.to === Number.POSITIVE_INFINITY;
  let total = isAll && isOtherOpen ? source.count(by, ranges[by]) : undefined;
  if (total === undefined) {
    total = 0;
    for (const group of source.groups(by, ranges[by], false)) total += group.filter(test).length;
  }
  return { limited: Math.min(total, wanted.resultsLimit), total };
}

function readFields(body: JsonObject, objectType: string): readonly string[] | undefined {
  const given = body._fields ?? null;
  if (given === null) return undefined;
  const names = objectAt(given, '_fields')[objectType];
  if (names === undefined) return undefined;
  if (!Array.isArray(names)) throw fieldError('_fields', 'Must be a list for each object type.');
  if (names.length > MAX_FIELDS) throw fieldError('_fields', 'List is too long.');
  return names.map(textOf);
}

/** Names that Close knows though the sandbox has no values of them (Close's OpenAPI document). */
const OTHER_FIELDS: readonly string[] = [
  ...['localtime', 'primary_email', 'primary_phone', 'primary_address_summary', 'summaries'],
  ...['contacts_summary', 'recent_calls', 'subscriptions', 'lead_suggestions_operation_id'],
  ...['is_stalled', 'stall_status', 'suggested_action', 'comment_summary', 'lead_primary_email'],
  ...['lead_primary_phone', 'custom', '_all'],
];

/** Unknown names are refused, but ignored for activities (told by two connectors, 2026). */
function checkFields(
  fields: readonly string[] | undefined,
  objectType: string,
  example: Candidate | undefined,
): void {
  if (!fields || !example || objectType.startsWith('activity.')) return;
  const known = new Set([...Object.keys(example.record()), ...OTHER_FIELDS]);
  const unknown = fields.find((name) => !known.has(name) && !name.startsWith('custom.'));
  if (unknown !== undefined) throw fieldError('_fields', `Unknown field: ${unknown}`);
}

/** Without `_fields` only the id is given. */
function shape(
  candidate: Candidate,
  objectType: string,
  fields: readonly string[] | undefined,
): JsonObject {
  const { id } = candidate;
  const named = { __object_type: objectType, id };
  if (!fields) return named;
  const picked = pickFields(candidate.record(), fields);
  // The selector means the flat keys alone; the older form by name is no part of it.
  delete picked.custom;
  return { ...named, ...picked };
}

function writeCursor(wanted: Search, last: Candidate, served: number, nowMs: number): string {
  const { sort, signature } = wanted;
  const values = sortValues(sort, last);
  const position: Position = { values, id: last.id, served, issuedMs: nowMs, signature };
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function readCursor(
  value: Json | undefined,
  signature: string,
  nowMs: number,
): Position | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const position = parseCursor(textOf(value));
  if (position?.signature !== signature) throw fieldError('cursor', 'Invalid cursor.');
  if (nowMs - position.issuedMs > CURSOR_LIFE_MS) throw fieldError('cursor', 'Expired cursor');
  if (position.served >= MAX_RESULTS) {
    throw fieldError('cursor', `Cannot paginate past ${String(MAX_RESULTS)} results.`);
  }
  return position;
}

function parseCursor(text: string): Position | undefined {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as Position;
  } catch {
    return undefined;
  }
}
