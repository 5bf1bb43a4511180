import type { SliceRef } from '../contract.js';
import type { Page, Settled, Source } from '../core/ports.js';
import type { Position, Slice } from '../core/stream.js';
import { readDifferences } from '../postgres/reconciliations.js';
import type { ActivityDeps } from './deps.js';

/** Differences that one page settles: a request each where Close takes no list of ids. */
const DIFFERENCES_PER_PAGE = 50;

/** Behind the census: the differences that it brought to light, in the order of their keys. */
interface Settling {
  readonly strategy: 'settle';
  /** All up to this key are settled. */
  readonly after: string;
}

const FIRST: Position & Settling = { strategy: 'settle', after: '' };

/**
 * Pages of a reconciliation: first the census, then the records that differ. They must not be
 * fetched ahead: which records differ is known once the census is loaded.
 */
export async function* reconcilePages(
  ref: SliceRef,
  slice: Slice,
  position: Position | null,
  source: Source,
  { pool }: Pick<ActivityDeps, 'pool'>,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  let after = afterOf(position);
  if (after === undefined) {
    for await (const page of source.fetchCensus(slice, position, signal)) {
      yield { ...page, next: page.next ?? FIRST };
    }
    after = FIRST.after;
  }
  for (;;) {
    const differences = await readDifferences(pool, ref, after, DIFFERENCES_PER_PAGE);
    const last = differences.length < DIFFERENCES_PER_PAGE ? undefined : differences.at(-1);
    const settled = await settle(source, slice.stream, differences, signal);
    const next = last === undefined ? null : { ...FIRST, after: last.key };
    yield { ...settled, next, totalRecords: null };
    if (next === null) return;
    after = next.after;
  }
}

function afterOf(position: Position | null): string | undefined {
  const { strategy, after } = position ?? {};
  return strategy === 'settle' && typeof after === 'string' ? after : undefined;
}

async function settle(
  source: Source,
  stream: string,
  differences: readonly { readonly key: string; readonly difference: string }[],
  signal: AbortSignal,
): Promise<Pick<Page, 'records' | 'requests'> & { readonly settled: Settled }> {
  const keys = differences.map(({ key }) => key);
  if (keys.length === 0) return { records: [], requests: 0, settled: { read: [], gone: [] } };
  const found = await source.fetchByKey(stream, keys, signal);
  if (found !== undefined) {
    const { records, requests, read, gone } = found;
    return { records, requests, settled: { read, gone } };
  }
  // Read whole: what it did not bring is not there, and what it brought has been loaded.
  const gone = differences.filter(({ difference }) => difference === 'vanished');
  const read = differences.filter(({ difference }) => difference !== 'vanished');
  const settled = { read: read.map(({ key }) => key), gone: gone.map(({ key }) => key) };
  return { records: [], requests: 0, settled };
}
