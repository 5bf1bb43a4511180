import type { ByKey } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import { ClosehaulError } from '../errors.js';
import { isAbsent, isRefused } from './absent.js';
import { fetchListPage, fieldText, type CloseList } from './list-page.js';
import { itemPath, type CloseStream, type Followed, type ItemPath } from './stream-part.js';

/** Records asked for in one `id__in`: their ids fit into a URL. */
const BATCH = 30;

type Asking = Pick<CloseList, 'client' | 'signal'>;

/**
 * Records of a stream by their keys: many in one request where a list takes `id__in`, else one by
 * one. A key is gone when each list that could have it says so, by 404 or by leaving it out.
 * Undefined where Close has no way to ask.
 */
export async function recordsByKey(
  asking: Asking,
  stream: CloseStream,
  keys: readonly string[],
): Promise<ByKey | undefined> {
  const ways = stream.parts.flatMap(({ follows }) => wayOf(follows) ?? []);
  if (ways.length === 0) return undefined;
  const records = new Map<string, JsonRecord>();
  const unsure = new Set<string>();
  let requests = 0;
  for (const way of ways) {
    const open = keys.filter((key) => !records.has(key));
    for (let start = 0; start < open.length; start += BATCH) {
      const asked = open.slice(start, start + BATCH);
      const answer = await ask(asking, stream, way, asked);
      requests += answer.requests;
      for (const record of answer.records) records.set(fieldText(record, stream.key), record);
      for (const key of answer.unsure) unsure.add(key);
    }
  }
  const missing = keys.filter((key) => !records.has(key));
  return {
    records: [...records.values()],
    read: [...records.keys()],
    gone: missing.filter((key) => !unsure.has(key)),
    requests,
  };
}

interface Way {
  readonly batch: Followed['batch'];
  /** Null where each type of record has a path of its own. */
  readonly item: ItemPath | null;
}

function wayOf(follows: Followed | undefined): Way | undefined {
  if (follows === undefined) return undefined;
  const paths = [...new Set(Object.values(follows.types))].filter((path) => path !== null);
  const item = paths.length === 1 ? (paths[0] ?? null) : null;
  return item === null && follows.batch === undefined ? undefined : { batch: follows.batch, item };
}

interface Asked {
  readonly records: readonly JsonRecord[];
  /** Keys of which nothing can be said. */
  readonly unsure: readonly string[];
  readonly requests: number;
}

async function ask(
  asking: Asking,
  stream: CloseStream,
  { batch, item }: Way,
  keys: readonly string[],
): Promise<Asked> {
  let records: readonly JsonRecord[] = [];
  let requests = 0;
  let isTold = false;
  if (batch !== undefined) {
    const rows = await batchRows({ ...asking, ...batch }, keys);
    requests += 1;
    records = (rows ?? []).filter((row) => keys.includes(fieldText(row, stream.key)));
    // A list that gives others than those that were asked for does not know the filter.
    isTold = rows?.length === records.length;
  }
  const found = new Set(records.map((record) => fieldText(record, stream.key)));
  const open = keys.filter((key) => !found.has(key));
  if (item === null) return { records, requests, unsure: isTold ? [] : open };
  const unsure: string[] = [];
  for (const key of open) {
    const answer = await itemOf(asking, item, key);
    requests += 1;
    if (answer === undefined) unsure.push(key);
    else if (answer !== null) records = [...records, answer];
  }
  return { records, requests, unsure };
}

/** Undefined when Close refuses to be asked so. */
async function batchRows(
  list: Asking & NonNullable<Followed['batch']>,
  keys: readonly string[],
): Promise<readonly JsonRecord[] | undefined> {
  try {
    return (await fetchListPage(list, { id__in: keys, _limit: keys.length })).rows;
  } catch (error) {
    if (isAbsent(error) || isRefused(error)) return undefined;
    throw error;
  }
}

/** Null when Close has none; undefined when it does not say, for this key may not read it. */
async function itemOf(
  { client, signal }: Asking,
  path: ItemPath,
  key: string,
): Promise<JsonRecord | null | undefined> {
  try {
    return (await client.get(itemPath(path, key), {}, signal)).body;
  } catch (error) {
    if (!(error instanceof ClosehaulError)) throw error;
    if (error.code === 'CLOSE_NOT_FOUND') return null;
    if (error.code === 'CLOSE_FORBIDDEN') return undefined;
    throw error;
  }
}
