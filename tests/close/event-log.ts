import { fieldText } from '../../src/close/list-page.js';
import { addMillis, type Instant } from '../../src/core/instant.js';
import type { JsonRecord } from '../../src/core/record.js';
import { at, type Asked } from './fake-close.js';

export const LOG_START = at('2026-11-20T00:00:00Z');

/** One event as Close's log has it: its own times without an offset, to the millisecond. */
export function eventAt(ms: number, event: JsonRecord): JsonRecord {
  const time = addMillis(LOG_START, ms).replace('Z', '');
  return {
    ...{ changed_fields: [], data: null, meta: {}, user_id: 'user_1' },
    ...{ date_created: time, date_updated: time },
    ...event,
  };
}

export interface EventLogOptions {
  /** What the fake does with a cursor that it was given before. */
  readonly knowsCursor?: (cursor: string) => boolean;
  readonly pageSize?: number;
}

/**
 * Close's `/event/`: newest first; a cursor goes on behind an event, takes no date beside it and has
 * no lower end.
 */
export function eventLog(events: () => readonly JsonRecord[], options: EventLogOptions = {}) {
  const { knowsCursor = () => true, pageSize = 4 } = options;
  return ({ params }: Asked): JsonRecord | 'CLOSE_BAD_REQUEST' => {
    const all = [...events()].sort((a, b) => compare(place(b), place(a)));
    const cursor = params['_cursor'];
    if (typeof cursor === 'string') {
      if (Object.keys(params).some((name) => name.startsWith('date_'))) return 'CLOSE_BAD_REQUEST';
      if (!knowsCursor(cursor)) return 'CLOSE_BAD_REQUEST';
      return answer(
        all.filter((event) => place(event) < cursor),
        pageSize,
      );
    }
    const from = bare(params['date_updated__gte']);
    const to = bare(params['date_updated__lt']);
    const start = all.filter((event) => place(event) < to);
    // Of the first answer Close cuts off what is older; of its cursor it does not.
    const page = start
      .slice(0, pageSize)
      .filter((event) => fieldText(event, 'date_updated') >= from);
    const isWhole = page.length < pageSize;
    return { ...answer(start, pageSize), data: page, ...(isWhole && { cursor_next: null }) };
  };
}

function answer(events: readonly JsonRecord[], pageSize: number): JsonRecord {
  const data = events.slice(0, pageSize);
  const last = data.at(-1);
  const hasMore = events.length > pageSize && last !== undefined;
  return { data, cursor_next: hasMore ? place(last) : null, cursor_previous: null };
}

/** Where an event stands in the log's order; with its id, as a cursor is. */
function place(event: JsonRecord): string {
  return `${fieldText(event, 'date_updated')} ${fieldText(event, 'id')}`;
}

function bare(time: unknown): string {
  if (typeof time !== 'string' || !time.endsWith('+00:00')) throw new Error('no offset');
  return time.slice(0, 26);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function slice(part: 'past' | 'changes', from: Instant, to: Instant) {
  return { stream: 'event_log', part, from, to } as const;
}
