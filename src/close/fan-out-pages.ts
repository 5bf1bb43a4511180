import { z } from 'zod';
import type { Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord, JsonValue } from '../core/record.js';
import type { Position } from '../core/stream.js';
import { isAbsent } from './absent.js';
import { fieldText, type CloseList } from './list-page.js';
import { listPages } from './list-pages.js';
import { instantSchema, readPosition } from './position.js';
import { itemPath, type FanOutPart } from './stream-part.js';

const fanOutSchema = z.object({
  strategy: z.literal('fan-out'),
  startedAt: instantSchema,
  /** All parents before this id are done; they are taken in the order of their ids. */
  parent: z.string(),
  /** Where the list of that parent stands; null = at its beginning. */
  child: z.record(z.string(), z.custom<JsonValue>()).nullable(),
});

type FanOutState = Readonly<z.infer<typeof fanOutSchema>>;

/**
 * Pages of what Close gives only for one parent at a time: the members of a group, the subscriptions
 * of a sequence, the comments of a thread.
 *
 * The list of parents is read first, and again after an interruption. A parent that vanishes
 * meanwhile is passed over. Where each parent is one record, the parents' ids are a complete pass.
 */
export async function* fanOutPages(
  parents: CloseList,
  each: FanOutPart['each'],
  position: Position | null,
  now: () => Instant,
): AsyncGenerator<Page> {
  const stored = readPosition(fanOutSchema, position, parents);
  const startedAt = stored?.startedAt ?? now();
  const { ids, requests, note } = await readParents(parents, now);
  const open = ids.filter((id) => stored === undefined || id >= stored.parent);
  const end: Omit<Page, 'records' | 'requests'> = {
    next: null,
    totalRecords: null,
    ...('item' in each && note === undefined && { pass: { keys: ids, startedAt } }),
    ...(note !== undefined && { note, isSkipped: true }),
  };
  let spent = requests;
  for (const [index, id] of open.entries()) {
    const child = stored?.parent === id ? stored.child : null;
    for await (const page of childPages(parents, each, id, child, now)) {
      const following = open[index + 1];
      const isLast = page.next === null && following === undefined;
      const state = page.next === null ? following : id;
      const next: FanOutState = {
        ...{ strategy: 'fan-out', startedAt, parent: state ?? id, child: page.next },
      };
      const place = isLast ? end : { next, totalRecords: null };
      yield { ...place, records: page.records, requests: spent + page.requests };
      spent = 0;
    }
  }
  if (open.length === 0) yield { ...end, records: [], requests: spent };
}

async function readParents(parents: CloseList, now: () => Instant) {
  const ids = new Set<string>();
  let requests = 0;
  let note: string | undefined;
  for await (const page of listPages([parents], null, { now, keepsKeys: false })) {
    for (const row of page.records) ids.add(fieldText(row, 'id'));
    requests += page.requests;
    note = page.note;
  }
  return { ids: [...ids].sort(), requests, note };
}

async function* childPages(
  parents: CloseList,
  each: FanOutPart['each'],
  id: string,
  position: Position | null,
  now: () => Instant,
): AsyncGenerator<Pick<Page, 'records' | 'next' | 'requests'>> {
  if ('list' in each) {
    const list: CloseList = { ...parents, path: each.list, params: { [each.by]: id } };
    yield* listPages([list], position, { now, keepsKeys: false });
  } else {
    yield { ...(await readItem(parents, itemPath(each.item, id))), next: null };
  }
}

/** One record by its path; none when it is gone. */
export async function readItem(
  { client, signal }: Pick<CloseList, 'client' | 'signal'>,
  path: CloseList['path'],
): Promise<{ records: readonly JsonRecord[]; requests: number }> {
  try {
    const { body, requests } = await client.get(path, {}, signal);
    return { records: [body], requests };
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return { records: [], requests: 1 };
  }
}
