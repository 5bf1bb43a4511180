import { parseInstant, type Instant } from '../core/instant.js';
import { ExactNumber, isJsonRecord, type JsonRecord } from '../core/record.js';
import { ClosehaulError } from '../errors.js';
import type { Answer, CloseClient } from './client.js';
import { pathPattern } from './rate-limit.js';
import type { ClosePath, QueryParams } from './request.js';

/** Something that a person should know of and that the sync went on without. */
export interface CloseWarning {
  readonly code:
    | 'CLOSE_FILTER_IGNORED'
    | 'CLOSE_ORDER_IGNORED'
    | 'CLOSE_PART_SKIPPED'
    | 'CLOSE_POSITION_UNREADABLE'
    | 'CLOSE_EVENTS_EXPIRED';
  /** Path without ids. */
  readonly path: string;
  /** Names and numbers only, as in the catalogue of errors. */
  readonly message: string;
}

export type Warn = (warning: CloseWarning) => void;

/** One of Close's lists, as the paging strategies need it. */
export interface CloseList {
  readonly client: CloseClient;
  readonly path: ClosePath;
  /** The field that the list is filtered by. */
  readonly clockField: string;
  /** Rows asked for in one request. */
  readonly pageSize: number;
  readonly signal: AbortSignal;
  readonly warn: Warn;
  /** Fields of every request, beside those that page it. */
  readonly params?: QueryParams;
  /** Where the rows are, when not under `data`. */
  readonly pick?: (body: JsonRecord) => readonly JsonRecord[];
}

/** One answer of a list. */
export interface ListPage {
  readonly rows: readonly JsonRecord[];
  readonly hasMore: boolean;
  readonly total: number | null;
  readonly requests: number;
  readonly tripMs: number;
}

/**
 * Reads `{"data": [...], "has_more": bool, "total_results"?: number}`; a missing `has_more` is
 * false (Close: small lists leave it out), and more rows than asked are taken.
 *
 * Throws CLOSE_UNEXPECTED_BODY when `data` is no list of objects, and what the client throws.
 */
export async function fetchListPage(
  list: Pick<CloseList, 'client' | 'path' | 'signal' | 'params' | 'pick'>,
  paging: QueryParams,
): Promise<ListPage> {
  const params = { ...list.params, ...paging };
  return readListPage(list, await list.client.get(list.path, params, list.signal));
}

/** Throws CLOSE_UNEXPECTED_BODY when `data` is no list of objects. */
export function readListPage(
  list: Pick<CloseList, 'path' | 'pick'>,
  { body, bytes, requests, tripMs }: Answer,
): ListPage {
  const data = list.pick === undefined ? body['data'] : list.pick(body);
  if (!Array.isArray(data) || !(data as readonly JsonRecord[]).every((row) => isJsonRecord(row))) {
    throw new ClosehaulError('CLOSE_UNEXPECTED_BODY', {
      path: pathPattern(list.path),
      kind: 'no list of objects under "data"',
      status: 200,
      contentType: 'application/json',
      bytes,
    });
  }
  const total = body['total_results'];
  return {
    rows: data as readonly JsonRecord[],
    hasMore: body['has_more'] === true,
    total: typeof total === 'number' ? total : null,
    ...{ requests, tripMs },
  };
}

/** The row's own clock, or undefined when it has none that can be read. */
export function clockOf(row: JsonRecord, clockField: string): Instant | undefined {
  const value = row[clockField];
  return typeof value === 'string' ? parseInstant(value) : undefined;
}

/**
 * The lowest clock among the last rows. Not the highest: the search index lags, so a row that was
 * edited a moment ago can stand at its old place and show its new clock.
 */
export function lowestOfTail(
  list: Pick<CloseList, 'clockField'>,
  rows: readonly JsonRecord[],
): Instant | undefined {
  const tail = rows.slice(-Math.max(1, Math.floor(rows.length / 20)));
  const clocks = tail.flatMap((row) => clockOf(row, list.clockField) ?? []);
  return clocks.sort()[0];
}

/** A field of a row as text, for comparison only. */
export function fieldText(row: JsonRecord, field: string): string {
  const value = row[field];
  if (typeof value === 'string') return value;
  return value instanceof ExactNumber ? value.text : (JSON.stringify(value) ?? '');
}
