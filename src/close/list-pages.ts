import { z } from 'zod';
import type { Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Position } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { isAbsent } from './absent.js';
import { fieldText, type CloseList } from './list-page.js';
import { instantSchema, readPosition, skipStateSchema } from './position.js';
import { pathPattern } from './rate-limit.js';
import { SkipWalk, startSkip, stepBack } from './skip-walk.js';

const listSchema = skipStateSchema.extend({
  strategy: z.literal('list'),
  startedAt: instantSchema,
  /** Which of the lists is being read. */
  list: z.number().int().nonnegative(),
  /** What came so far. */
  keys: z.array(z.string()).readonly(),
  /** Notes of the lists that this key may not read. */
  notes: z.array(z.string()).readonly(),
});

type ListState = Readonly<z.infer<typeof listSchema>>;

/**
 * Pages of a small list that has no clock and is read whole, or of several that make one stream.
 * What the destination has and the pass did not bring was deleted; so the last page tells all keys,
 * unless a list could not be read.
 *
 * A list that this key may not read, or that the account does not have, is left out with a note; the
 * slice is skipped when that is so for all of them. `keepsKeys` only for short lists: the keys are
 * part of the position.
 */
export async function* listPages(
  lists: readonly CloseList[],
  position: Position | null,
  { now, keepsKeys }: { readonly now: () => Instant; readonly keepsKeys: boolean },
): AsyncGenerator<Page> {
  const [first] = lists;
  if (first === undefined) throw new TypeError('a part without a list');
  let state = readPosition(listSchema, position, first) ?? startList(first, now());
  for (let list = lists[state.list]; list !== undefined; list = lists[state.list]) {
    const walk = new SkipWalk(list);
    const number = state.list;
    try {
      while (state.list === number) {
        const step = await walk.step({}, state);
        if (step.is === 'tooFar') throw tooLong(list);
        if (step.is === 'moved') {
          state = { ...state, ...stepBack(state) };
          continue;
        }
        const { rows, hasMore } = step.page;
        if (keepsKeys) state = { ...state, keys: union(state.keys, rows) };
        state = hasMore ? { ...state, ...step.next } : nextList(state, lists);
        yield { ...pageOf(state, lists, keepsKeys), records: rows, requests: walk.takeRequests() };
      }
    } catch (error) {
      if (!isAbsent(error)) throw error;
      const notes = [...state.notes, `${error.message} ${error.next}`];
      state = nextList({ ...state, notes }, lists);
      yield { ...pageOf(state, lists, keepsKeys), records: [], requests: 1 };
    }
  }
}

function startList({ pageSize }: CloseList, startedAt: Instant): ListState {
  return { strategy: 'list', startedAt, list: 0, keys: [], notes: [], ...startSkip(pageSize) };
}

function nextList(state: ListState, lists: readonly CloseList[]): ListState {
  return { ...state, list: state.list + 1, ...startSkip(lists[0]?.pageSize ?? 1) };
}

function pageOf(
  state: ListState,
  lists: readonly CloseList[],
  keepsKeys: boolean,
): Pick<Page, 'next' | 'totalRecords' | 'pass' | 'note' | 'isSkipped'> {
  const { list, notes, keys, startedAt } = state;
  if (list < lists.length) return { next: state, totalRecords: null };
  const [note] = notes;
  return {
    next: null,
    totalRecords: null,
    ...(note === undefined && keepsKeys && { pass: { keys, startedAt } }),
    ...(note !== undefined && { note }),
    ...(notes.length === lists.length && { isSkipped: true }),
  };
}

function union(keys: readonly string[], rows: readonly JsonRecord[]): readonly string[] {
  return [...new Set([...keys, ...rows.map((row) => fieldText(row, 'id'))])];
}

function tooLong(list: CloseList): ClosehaulError {
  const path = pathPattern(list.path);
  return new ClosehaulError('CLOSE_WINDOW_TOO_DENSE', { path, unit: 'list', from: 'its start' });
}
