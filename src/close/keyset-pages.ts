import { z } from 'zod';
import { floorToMinute, type Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { clockOf, fetchListPage, lowestOfTail, type CloseList } from './list-page.js';
import { instantSchema, readPosition, skipStateSchema } from './position.js';
import { pathPattern } from './rate-limit.js';
import type { QueryParams } from './request.js';
import { missingOf, SkipWalk, startSkip, stepBack, type SkipState } from './skip-walk.js';

const keysetSchema = skipStateSchema.extend({
  strategy: z.literal('keyset'),
  /** `unsorted`, `unfiltered`: Close ignored that part of the query, so only the walk's end ends it. */
  mode: z.enum(['sorted', 'unsorted', 'unfiltered']),
  /** The query asks for rows from this minute on. */
  anchor: instantSchema,
  /** All rows before it were read; null until the first page. */
  readUpTo: instantSchema.nullable(),
  /** Rows went away while we read: take a new anchor after each page. */
  isMoving: z.boolean(),
  /** Rows of the slice and behind it; what the queries of later anchors count is less and less. */
  total: z.number().nullable(),
});

type KeysetState = Readonly<z.infer<typeof keysetSchema>>;

/** Well before any `max_skip` that was seen; also keeps Close's queries cheap. */
const SKIP_MAX = 5_000;

/**
 * Pages of a list that can be searched from a minute on and sorted by its clock: `/lead/`.
 *
 *   query=date_updated>="2025-01-31T08:15" sort:date_updated
 *
 * The form is tap-closeio's, in use since 2017; it compares by the minute. While nothing moves it
 * pages by `_skip` (one row of overlap). When rows moved, `_skip` is given up for a new anchor: the
 * minute up to which all was read. Only a minute with more rows than a page is walked by `_skip`
 * and steps back.
 *
 * Ends at the list's end or at the first page whose rows lie at or after `slice.to`; rows past the
 * slice's ends are passed on, they are valid and newer wins. What Close counted and did not give is
 * told at the end.
 *
 * Unknown parameters are ignored by Close in silence, so filter and order are checked on each page.
 */
export async function* keysetPages(
  list: CloseList,
  slice: Slice,
  position: Position | null,
): AsyncGenerator<Page> {
  const walk = new SkipWalk(list, SKIP_MAX);
  let state = readPosition(keysetSchema, position, list) ?? startKeyset(list, slice, 'sorted');
  for (;;) {
    if (state.skip >= SKIP_MAX) state = reanchor(state) ?? state;
    const step = await walk.step(queryOf(list, state), state);
    if (step.is !== 'page') {
      state = step.is === 'moved' ? afterMove(state) : afterTooFar(list, state);
      continue;
    }
    const { rows, hasMore, total } = step.page;
    const mode = checkMode(list, rows, state);
    if (mode !== state.mode) {
      warnOf(list, mode);
      // What was read so far was read on a wrong belief, so all of it is read again.
      state = startKeyset(list, slice, mode);
      continue;
    }
    const next = advance(list, slice, state, step.next, rows, total);
    const hasPassedEnd = mode === 'sorted' && next.readUpTo !== null && next.readUpTo >= slice.to;
    const isDone = !hasMore || hasPassedEnd;
    const { missing, requests } = isDone
      ? await countMissing(list, slice, next, hasMore ? rows : [])
      : { missing: 0, requests: 0 };
    yield {
      records: mode === 'unfiltered' ? rows.filter((row) => isFrom(list, slice, row)) : rows,
      next: isDone ? null : next,
      totalRecords: next.total,
      requests: walk.takeRequests() + requests,
      isNextAsked: walk.isNextAsked,
      ...(missing > 0 && { missing }),
    };
    if (isDone) return;
    state = next;
  }
}

/**
 * What Close counts in the slice now and did not give, with the requests for it. `lastRows` are those of
 * the last page where the list goes on behind the slice's end, else none.
 */
async function countMissing(
  list: CloseList,
  slice: Slice,
  state: KeysetState,
  lastRows: readonly JsonRecord[],
): Promise<{ readonly missing: number; readonly requests: number }> {
  if (state.read === null || state.total === null) return { missing: 0, requests: 0 };
  let { total, read } = state;
  let requests = 0;
  const countFrom = async (anchor: Instant): Promise<number> => {
    const query = { ...queryOf(list, { ...state, anchor }), _skip: 0, _limit: 1 };
    const counted = await fetchListPage(list, query);
    requests += counted.requests;
    return counted.total ?? 0;
  };
  if (state.anchor !== firstAnchor(slice)) total = await countFrom(firstAnchor(slice));
  if (lastRows.length > 0) {
    const end = floorToMinute(slice.to);
    total -= await countFrom(end);
    read -= lastRows.filter((row) => (clockOf(row, list.clockField) ?? end) >= end).length;
  }
  return { missing: missingOf({ read, total }), requests };
}

/** The minute that the slice begins in; Close cannot be asked more exactly. */
function firstAnchor(slice: Slice): Instant {
  return floorToMinute(slice.from);
}

function startKeyset(list: CloseList, slice: Slice, mode: KeysetState['mode']): KeysetState {
  return {
    strategy: 'keyset',
    mode,
    anchor: firstAnchor(slice),
    readUpTo: null,
    isMoving: false,
    total: null,
    ...startSkip(list.pageSize),
  };
}

function queryOf(list: CloseList, state: KeysetState): QueryParams {
  const minute = state.anchor.slice(0, 16);
  return { query: `${list.clockField}>="${minute}" sort:${list.clockField}` };
}

/** The state with the latest anchor that is safe, or undefined when that is the present one. */
function reanchor(state: KeysetState): KeysetState | undefined {
  if (state.mode !== 'sorted' || state.readUpTo === null) return undefined;
  const anchor = floorToMinute(state.readUpTo);
  if (anchor <= state.anchor) return undefined;
  return { ...state, anchor, skip: 0, back: 0, marks: [] };
}

function afterMove(state: KeysetState): KeysetState {
  const anchored = reanchor(state) ?? { ...state, ...stepBack(state) };
  return { ...anchored, isMoving: true };
}

function afterTooFar(list: CloseList, state: KeysetState): KeysetState {
  const anchored = reanchor(state);
  if (anchored !== undefined) return anchored;
  const path = pathPattern(list.path);
  if (state.mode !== 'sorted') {
    throw new ClosehaulError('CLOSE_FILTER_IGNORED', { path, field: list.clockField });
  }
  throw new ClosehaulError('CLOSE_WINDOW_TOO_DENSE', { path, unit: 'minute', from: state.anchor });
}

function advance(
  list: CloseList,
  slice: Slice,
  state: KeysetState,
  skip: SkipState,
  rows: readonly JsonRecord[],
  total: number | null,
): KeysetState {
  const readUpTo = lowestOfTail(list, rows) ?? state.readUpTo;
  const counted = state.anchor === firstAnchor(slice) ? total : state.total;
  const next = { ...state, ...skip, readUpTo, total: counted };
  if (!state.isMoving || readUpTo === null) return next;
  const minute = floorToMinute(readUpTo);
  const repeated = rows.filter((row) => (clockOf(row, list.clockField) ?? minute) >= minute);
  return repeated.length * 2 <= rows.length ? (reanchor(next) ?? next) : next;
}

/** What this page proves of the query. One row in ten may stand out of order: see above. */
function checkMode(
  list: CloseList,
  rows: readonly JsonRecord[],
  state: KeysetState,
): KeysetState['mode'] {
  if (state.mode !== 'sorted') return state.mode;
  const clocks = rows.flatMap((row) => clockOf(row, list.clockField) ?? []);
  if (clocks.some((clock) => clock < state.anchor)) return 'unfiltered';
  const inversions = clocks.filter((clock, index) => clock < (clocks[index - 1] ?? clock));
  return inversions.length > Math.floor(rows.length / 10) ? 'unsorted' : 'sorted';
}

function isFrom(list: CloseList, slice: Slice, row: JsonRecord): boolean {
  const clock = clockOf(row, list.clockField);
  return clock === undefined || clock >= firstAnchor(slice);
}

function warnOf(list: CloseList, mode: KeysetState['mode']): void {
  const path = pathPattern(list.path);
  if (mode === 'unfiltered') {
    const message = `Close ignored the filter on ${list.clockField}; the whole list is read and filtered here.`;
    list.warn({ code: 'CLOSE_FILTER_IGNORED', path, message });
  } else {
    const message = `Close ignored the order by ${list.clockField}; the list is read to its end.`;
    list.warn({ code: 'CLOSE_ORDER_IGNORED', path, message });
  }
}
