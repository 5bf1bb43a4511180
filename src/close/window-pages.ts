import { z } from 'zod';
import {
  addMillis,
  instantFromMillis,
  later,
  SECOND_MS,
  toMillis,
  type Instant,
} from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { clockOf, type CloseList } from './list-page.js';
import { instantSchema, readPosition, skipStateSchema } from './position.js';
import { pathPattern } from './rate-limit.js';
import type { QueryParams } from './request.js';
import { missingOf, SkipWalk, startSkip, stepBack } from './skip-walk.js';

const windowSchema = skipStateSchema.extend({
  strategy: z.literal('window'),
  /** The window being read, `[from, to)`; all of the slice before it is done. */
  from: instantSchema,
  to: instantSchema,
  /** The latest clock seen in it: a better middle than that of a window up to the year 9999. */
  latest: instantSchema.nullable(),
  /** The `_skip` that Close refused in this slice; 0 = never. */
  refusedSkip: z.number().int().nonnegative(),
  /** What Close's last answer counted in this window. */
  counted: z.number().nullable().default(null),
  /** What its first one counted, less what has gone since: all that must have been read in the end. */
  total: z.number().nullable().default(null),
  /** Rows that it counted in the windows before and did not give. */
  missing: z.number().int().nonnegative().default(0),
});

type WindowState = Readonly<z.infer<typeof windowSchema>>;

/** Pages in a row without one row of the window before the filter counts as ignored. */
const FOREIGN_PAGES_MAX = 2;

/**
 * Pages of a list that takes a closed time window and has no order to rely on: the activities.
 *
 *   date_created__gte=2025-01-01T00:00:00+00:00 & date_created__lt=2025-01-31T00:00:00+00:00
 *
 * The window is asked for in whole seconds, widened outward (Close compares by the second in
 * places), and cut here to `[from, to)` in microseconds: what lies outside belongs to a neighbour.
 * A row without a readable clock is passed on, never dropped.
 *
 * When Close refuses a `_skip`, the window is halved, down to one second. What Close counted in a
 * window and did not give is told at the slice's end.
 */
export async function* windowPages(
  list: CloseList,
  slice: Slice,
  position: Position | null,
): AsyncGenerator<Page> {
  const walk = new SkipWalk(list);
  let state =
    readPosition(windowSchema, position, list) ??
    openWindow(list, { ...slice, refusedSkip: 0, missing: 0 });
  let foreignPages = 0;
  let rowsLeft = 0;
  for (;;) {
    const step = await walk.step(queryOf(list, state), state, rowsLeft);
    if (step.is === 'moved') {
      state = { ...state, ...stepBack(state) };
      continue;
    }
    if (step.is === 'tooFar') {
      state = halve(list, state);
      continue;
    }
    const { rows, hasMore, total } = step.page;
    rowsLeft = expectedAfter(rows, list.clockField, state);
    const records = rows.filter((row) => isWithin(row, list.clockField, state.from, state.to));
    const isForeign = rows.length > 0 && !rows.some((row) => isAsked(row, list.clockField, state));
    foreignPages = isForeign ? foreignPages + 1 : 0;
    // An answer of another window says nothing of this one, not even that it has ended.
    if (isForeign && foreignPages < FOREIGN_PAGES_MAX) continue;
    if (isForeign && hasMore) throw filterIgnored(list);
    const latest = latestOf(list, rows, state);
    state = { ...state, ...step.next, ...recount(state, total), latest };
    if (!hasMore) state = { ...state, missing: state.missing + missingOf(state) };
    const next = hasMore ? state : nextWindow(list, slice, state);
    yield {
      ...{ records, next, totalRecords: total, requests: walk.takeRequests() },
      isNextAsked: walk.isNextAsked,
      ...(next === null && state.missing > 0 && { missing: state.missing }),
    };
    if (next === null) return;
    state = next;
  }
}

type Opening = Pick<WindowState, 'from' | 'to' | 'refusedSkip' | 'missing'>;

function openWindow(list: CloseList, { from, to, refusedSkip, missing }: Opening): WindowState {
  const counts = { counted: null, total: null, missing };
  const start = { latest: null, refusedSkip, ...startSkip(list.pageSize) };
  return { strategy: 'window', from, to, ...counts, ...start };
}

/** A row that came since may stand where we have been, so it is not asked for. */
function recount(
  { counted, total }: WindowState,
  now: number | null,
): Pick<WindowState, 'counted' | 'total'> {
  if (now === null) return { counted: null, total: null };
  const gone = Math.max(0, (counted ?? now) - now);
  return { counted: now, total: (total ?? now) - gone };
}

function queryOf(list: CloseList, window: WindowState): QueryParams {
  return {
    [`${list.clockField}__gte`]: wireTime(floorToSecond(window.from)),
    [`${list.clockField}__lt`]: wireTime(ceilToSecond(window.to)),
  };
}

/** Always with an offset: Close reads a time without one in the caller's zone. */
function wireTime(instant: Instant): string {
  return `${instant.slice(0, 19)}+00:00`;
}

/** The first half of the window, or of what was seen of it, in whole seconds. nextWindow follows. */
function halve(list: CloseList, state: WindowState): WindowState {
  const from = floorToSecond(state.from);
  const seconds = secondsBetween(from, ceilToSecond(state.to));
  if (seconds <= 1) {
    const path = pathPattern(list.path);
    throw new ClosehaulError('CLOSE_WINDOW_TOO_DENSE', { path, unit: 'second', from });
  }
  const seenSeconds = state.latest === null ? seconds : secondsBetween(from, state.latest) + 1;
  const half = Math.max(1, Math.floor(Math.min(seconds, seenSeconds) / 2));
  const to = addMillis(from, half * SECOND_MS);
  return openWindow(list, { ...state, to, refusedSkip: state.skip });
}

/**
 * The window after a finished one, or null at the slice's end. As long as the one before, because
 * the rows are likely as dense; four times as long after one that was far from Close's cap, so that
 * the empty centuries at the end of a slice into the future take a few requests.
 */
function nextWindow(list: CloseList, slice: Slice, state: WindowState): WindowState | null {
  if (state.to >= slice.to) return null;
  const growth = state.skip * 4 < state.refusedSkip ? 4 : 1;
  const lengthMs = Math.max(1, secondsBetween(state.from, state.to)) * SECOND_MS * growth;
  const leftMs = toMillis(slice.to) - toMillis(state.to);
  const to = lengthMs >= leftMs ? slice.to : addMillis(state.to, lengthMs);
  return openWindow(list, { ...state, from: state.to, to });
}

/**
 * About how many rows of a window follow a page: half as many as there were if the rest of it were as
 * dense. A night is less so than a day; and what is asked for beyond the end is asked for in vain.
 */
function expectedAfter(
  rows: readonly JsonRecord[],
  clockField: string,
  { from, to }: Pick<WindowState, 'from' | 'to'>,
): number {
  const clocks = rows.flatMap((row) => clockOf(row, clockField) ?? []).map(toMillis);
  const [firstMs = 0, lastMs = 0] = [clocks[0], clocks.at(-1)];
  const leftMs = lastMs < firstMs ? lastMs - toMillis(from) : toMillis(to) - lastMs;
  return (rows.length * leftMs) / Math.max(1, Math.abs(lastMs - firstMs)) / 2;
}

function isWithin(row: JsonRecord, clockField: string, from: Instant, to: Instant): boolean {
  const clock = clockOf(row, clockField);
  return clock === undefined || (clock >= from && clock < to);
}

/** True when Close was right to send the row: it lies in the window that was asked for. */
function isAsked(row: JsonRecord, clockField: string, { from, to }: WindowState): boolean {
  return isWithin(row, clockField, floorToSecond(from), ceilToSecond(to));
}

function latestOf(
  list: CloseList,
  rows: readonly JsonRecord[],
  state: WindowState,
): Instant | null {
  const clocks = rows
    .flatMap((row) => clockOf(row, list.clockField) ?? [])
    .filter((clock) => clock >= state.from && clock < state.to);
  return clocks.reduce(
    (latest, clock) => (latest === null ? clock : later(latest, clock)),
    state.latest,
  );
}

function filterIgnored(list: CloseList): ClosehaulError {
  const path = pathPattern(list.path);
  const message = `Close ignored the filter on ${list.clockField}.`;
  list.warn({ code: 'CLOSE_FILTER_IGNORED', path, message });
  return new ClosehaulError('CLOSE_FILTER_IGNORED', { path, field: list.clockField });
}

function floorToSecond(instant: Instant): Instant {
  return instantFromMillis(Math.floor(toMillis(instant) / SECOND_MS) * SECOND_MS);
}

function ceilToSecond(instant: Instant): Instant {
  const floor = floorToSecond(instant);
  return floor === instant ? floor : addMillis(floor, SECOND_MS);
}

function secondsBetween(from: Instant, to: Instant): number {
  return Math.floor((toMillis(to) - toMillis(from)) / SECOND_MS);
}
