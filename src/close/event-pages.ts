import { z } from 'zod';
import { addMillis, DAY_MS, earlier, later, type Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { EventEffects } from './event-effects.js';
import { clockOf, readListPage, type CloseList } from './list-page.js';
import { instantSchema, readPosition } from './position.js';
import type { EventsPart } from './stream-part.js';

const eventsSchema = z.object({
  strategy: z.literal('events'),
  /** The window being read, `[from, to)`; all of the slice before it is done. */
  from: instantSchema,
  to: instantSchema,
  /** The log is read to the slice's end; what is left are lists. */
  isRead: z.boolean(),
  /** Close's cursor inside the window; null at its beginning. */
  cursor: z.string().nullable(),
  /** Lists in which the log named a change: `stream.part`. They are read once the log is. */
  lists: z.array(z.string()).readonly(),
});

type EventsState = Readonly<z.infer<typeof eventsSchema>>;

/** Close gives 50 events in one answer at most (its OpenAPI document). */
const EVENTS_MAX = 50;

/**
 * A slice that is no longer than this is read as one window, so a quiet sync costs one request.
 * Windows are read in ascending order, since the oldest events are the next to be forgotten.
 */
const WINDOW_MS = DAY_MS;

/**
 * Pages of `/event/`: newest first inside windows of `date_updated`. Close's cursor has no lower end
 * (it takes no date beside it), so a window ends at the first page that reaches behind it. A
 * cursor that Close no longer knows begins its window again: events are keyed by their id.
 *
 * What the events tell of other streams comes with each page as effects. `effects` null: none.
 */
export async function* eventPages(
  list: CloseList,
  part: Pick<EventsPart, 'retentionMs' | 'overlapMs'>,
  slice: Slice,
  position: Position | null,
  effects: EventEffects | null,
  now: Instant,
): AsyncGenerator<Page> {
  const kept = addMillis(now, -part.retentionMs);
  const note = effects !== null && slice.from < kept ? expiredNote(list, slice, kept) : undefined;
  let state: EventsState =
    readPosition(eventsSchema, position, list) ??
    openWindow(earlier(later(slice.from, kept), slice.to), slice, []);
  const overlapEnd = addMillis(slice.from, part.overlapMs);
  const rested = addMillis(now, -part.overlapMs);
  const seen = new Set<string>();
  let hasRestarted = false;
  while (!state.isRead) {
    const { cursor, from } = state;
    const answer = await ask(list, state, !hasRestarted);
    if (answer === undefined) {
      hasRestarted = true;
      seen.clear();
      state = { ...state, cursor: null };
      continue;
    }
    if (answer.next !== null && (answer.next === cursor || seen.has(answer.next))) {
      throw new ClosehaulError('CLOSE_PAGING_LOOP', { path: list.path });
    }
    if (answer.next !== null) seen.add(answer.next);
    const within = answer.rows.filter((row) => isWithin(row, list, state));
    // The latest are left to the live lane: it takes an event that is stored for one whose effects
    // are, too.
    const records = effects !== null ? within : within.filter((row) => !isAfter(row, list, rested));
    const told = (await effects?.of(records, overlapEnd)) ?? NOTHING_TOLD;
    const lists = [...new Set([...state.lists, ...told.lists])].sort();
    state = advance(list, state, answer, lists, slice);
    // A window's last page reaches into the one before, and so do its cursors.
    if (state.from !== from) {
      seen.clear();
      hasRestarted = false;
    }
    const isDone = state.isRead && lists.length === 0;
    yield {
      ...{ records, next: isDone ? null : state, totalRecords: null },
      ...{ requests: answer.requests + told.requests, effects: told.effects },
      ...(isDone && note !== undefined && { note, hasGap: true }),
    };
    if (isDone) return;
  }
  yield* listsAgain(state, effects, note);
}

const NOTHING_TOLD = { effects: [], lists: [], requests: 0 };

/** Once the log is read to its end, the lists that it named changes of. */
async function* listsAgain(
  state: EventsState,
  effects: EventEffects | null,
  note: string | undefined,
): AsyncGenerator<Page> {
  for (const [index, name] of state.lists.entries()) {
    const lists = state.lists.slice(index + 1);
    const again = (await effects?.list(name)) ?? { effects: [], requests: 0 };
    yield {
      ...{ records: [], totalRecords: null, ...again },
      next: lists.length === 0 ? null : { ...state, lists },
      ...(lists.length === 0 && note !== undefined && { note, hasGap: true }),
    };
  }
}

function openWindow(from: Instant, slice: Slice, lists: readonly string[]): EventsState {
  const to = earlier(addMillis(from, WINDOW_MS), slice.to);
  return { strategy: 'events', from, to, isRead: false, cursor: null, lists };
}

interface EventAnswer {
  readonly rows: readonly JsonRecord[];
  readonly next: string | null;
  readonly requests: number;
}

/** Undefined when Close does not know the cursor any more and the window may begin again. */
async function ask(
  list: CloseList,
  state: EventsState,
  mayRestart: boolean,
): Promise<EventAnswer | undefined> {
  const { client, path, signal } = list;
  const range = {
    [`${list.clockField}__gte`]: wireTime(state.from),
    [`${list.clockField}__lt`]: wireTime(state.to),
  };
  const place = state.cursor === null ? range : { _cursor: state.cursor };
  try {
    const answer = await client.get(path, { ...place, _limit: EVENTS_MAX }, signal);
    const next = answer.body['cursor_next'];
    const { rows, requests } = readListPage(list, answer);
    return { rows, requests, next: typeof next === 'string' && next !== '' ? next : null };
  } catch (error) {
    const isRefused = error instanceof ClosehaulError && error.code === 'CLOSE_BAD_REQUEST';
    if (state.cursor === null || !isRefused || !mayRestart) throw error;
    return undefined;
  }
}

function wireTime(instant: Instant): string {
  return instant.replace('Z', '+00:00');
}

/** Events are stamped to the millisecond, so both ends of a window are compared so. */
function isWithin(row: JsonRecord, list: CloseList, { from, to }: EventsState): boolean {
  const clock = clockOf(row, list.clockField);
  if (clock === undefined) return true;
  return clock.slice(0, 23) >= from.slice(0, 23) && clock < to;
}

function isAfter(row: JsonRecord, list: CloseList, instant: Instant): boolean {
  const clock = clockOf(row, list.clockField);
  return clock !== undefined && clock > instant;
}

function advance(
  list: CloseList,
  state: EventsState,
  { rows, next }: EventAnswer,
  lists: readonly string[],
  slice: Slice,
): EventsState {
  const last = rows.flatMap((row) => clockOf(row, list.clockField) ?? []).at(-1);
  // The window's own filter holds for its first answer, so an empty one is the end of it.
  const isEmpty = rows.length === 0 && state.cursor === null;
  const hasPassed = isEmpty || (last !== undefined && last < state.from);
  if (next !== null && !hasPassed) return { ...state, cursor: next, lists };
  if (state.to < slice.to) return openWindow(state.to, slice, lists);
  return { ...state, isRead: true, cursor: null, lists };
}

function expiredNote(list: CloseList, slice: Slice, kept: Instant): string {
  const message =
    `Close has forgotten its events before ${kept}; what was deleted or changed from ${slice.from} to ` +
    'then is found by comparing all that Close has, as "closehaul reconcile" does. That begins by itself.';
  list.warn({ code: 'CLOSE_EVENTS_EXPIRED', path: list.path, message });
  return message;
}
