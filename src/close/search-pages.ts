import { z } from 'zod';
import type { Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { readItem } from './fan-out-pages.js';
import { clockOf, fieldText, lowestOfTail, readListPage, type CloseList } from './list-page.js';
import { instantSchema, readPosition } from './position.js';
import { itemPath, type SearchPart } from './stream-part.js';

const searchSchema = z.object({
  strategy: z.literal('search'),
  /** Rows from this instant on are asked for; all before it were read. */
  anchor: instantSchema,
  /** Only while more rows than a page have one clock: Close's cursor inside them. */
  cursor: z.string().nullable(),
});

type SearchState = Readonly<z.infer<typeof searchSchema>>;

/**
 * Pages of `POST /data/search/` as a keyset: ascending by the clock, each page from the last one's
 * clock on. Close's cursors live for 30 s and end after 10,000 rows (its Advanced Filtering page),
 * so one is used only inside a run of equal clocks; when it has expired the run is begun again.
 *
 * Ends at the last row, or at the first page whose rows lie at or after `slice.to`.
 */
export async function* searchPages(
  list: CloseList,
  part: SearchPart,
  slice: Slice,
  position: Position | null,
): AsyncGenerator<Page> {
  let state: SearchState = readPosition(searchSchema, position, list) ?? {
    ...{ strategy: 'search', anchor: slice.from, cursor: null },
  };
  for (let expired = 0; ;) {
    const answer = await ask(list, part, state).catch((error: unknown) => {
      if (state.cursor === null || !isExpired(error)) throw error;
      return undefined;
    });
    if (answer === undefined) {
      expired += 1;
      if (expired > EXPIRED_MAX) throw tooDense(list, state);
      state = { ...state, cursor: null };
      continue;
    }
    const { rows, cursor } = answer;
    const found = await readWanted(list, part, rows);
    const next = advance(list, state, rows, cursor, slice);
    yield {
      records: found.records,
      next,
      totalRecords: null,
      requests: answer.requests + found.requests,
    };
    if (next === null) return;
    state = next;
  }
}

/** A run of equal clocks that cannot be walked within the life of a cursor so often is given up. */
const EXPIRED_MAX = 3;

async function ask(list: CloseList, part: SearchPart, state: SearchState) {
  const { objectType, fields } = part;
  const { clockField } = list;
  const field = { type: 'regular_field', object_type: objectType, field_name: clockField };
  const value = state.anchor.replace('Z', '+00:00');
  const onOrAfter = { type: 'fixed_utc', value };
  const condition = { type: 'moment_range', on_or_after: onOrAfter };
  const body: JsonRecord = {
    query: {
      type: 'and',
      queries: [
        { type: 'object_type', object_type: objectType },
        { type: 'field_condition', field, condition },
      ],
    },
    _fields: { [objectType]: fields },
    sort: [{ direction: 'asc', field }],
    _limit: list.pageSize,
    ...(state.cursor !== null && { cursor: state.cursor }),
  };
  const answer = await list.client.post(list.path, body, list.signal);
  const next = answer.body['cursor'];
  const { rows, requests } = readListPage(list, answer);
  return { rows, requests, cursor: typeof next === 'string' && next !== '' ? next : null };
}

function isExpired(error: unknown): boolean {
  return error instanceof ClosehaulError && error.code === 'CLOSE_BAD_REQUEST';
}

function advance(
  list: CloseList,
  state: SearchState,
  rows: readonly JsonRecord[],
  cursor: string | null,
  slice: Slice,
): SearchState | null {
  const clocks = rows.flatMap((row) => clockOf(row, list.clockField) ?? []);
  const hasPassedEnd = clocks.length > 0 && clocks.every((clock) => clock >= slice.to);
  if (cursor === null || rows.length === 0 || hasPassedEnd) return null;
  const inversions = clocks.filter((clock, index) => clock < (clocks[index - 1] ?? clock));
  if (inversions.length > rows.length / 10) {
    throw new ClosehaulError('CLOSE_FILTER_IGNORED', { path: list.path, field: list.clockField });
  }
  const last = lowestOfTail(list, rows);
  // Close compares to the millisecond in places; an anchor must not lie behind its own row.
  const anchor = last === undefined ? state.anchor : floorToMillisecond(last);
  if (anchor > state.anchor) return { ...state, anchor, cursor: null };
  return { ...state, cursor };
}

function floorToMillisecond(instant: Instant): Instant {
  return `${instant.slice(0, 23)}000Z` as Instant;
}

async function readWanted(list: CloseList, part: SearchPart, rows: readonly JsonRecord[]) {
  const { without } = part;
  if (without === undefined) return { records: rows.map(withoutSearchFields), requests: 0 };
  const records: JsonRecord[] = [];
  let requests = 0;
  for (const row of rows) {
    if (typeof row[without.field] === 'string') continue;
    const item = await readItem(list, itemPath(without.path, fieldText(row, 'id')));
    records.push(...item.records);
    requests += item.requests;
  }
  return { records, requests };
}

/** The search says of each row what it is; read by its id, the same record does not. */
function withoutSearchFields(row: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(row).filter(([field]) => field !== '__object_type'));
}

function tooDense(list: CloseList, { anchor }: SearchState): ClosehaulError {
  const values = { path: list.path, unit: 'millisecond', from: anchor };
  return new ClosehaulError('CLOSE_WINDOW_TOO_DENSE', values);
}
