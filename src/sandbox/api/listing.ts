/** What every list has in common: parameters, time filters, paging and `_fields`. */
import type { Json, JsonObject } from '../json.js';
import { parseTime, type ParsedTime } from '../moment.js';
import type { OrderedIndex } from '../world/ordered-index.js';
import { ApiError, fieldError } from './api-error.js';

/** The parameters of one request. Those that nobody asks for are ignored in silence, as Close does. */
export class Parameters {
  constructor(
    private readonly values: ReadonlyMap<string, string>,
    /** From the header `X-TZ-Offset`: what a time without an offset means. */
    readonly offsetHours: number,
    /** How many rows more than asked for a page has, where a fault wants that. */
    readonly extraRows = 0,
  ) {}

  /** An empty value counts as none. */
  text(name: string): string | undefined {
    const value = this.values.get(name);
    return value === '' ? undefined : value;
  }

  list(name: string): readonly string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((part) => part.trim());
  }

  has(name: string): boolean {
    return this.text(name) !== undefined;
  }

  count(name: string, whenAbsent: number): number {
    const value = this.text(name);
    if (value === undefined) return whenAbsent;
    if (!/^\d{1,15}$/.test(value)) throw fieldError(name, 'Must be a whole number, 0 or more.');
    return Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase();
    return value === undefined ? undefined : value === 'true' || value === '1';
  }

  time(name: string): ParsedTime | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const time = parseTime(value, this.offsetHours);
    if (!time) throw fieldError(name, 'Must be a date or a time in the form of ISO 8601.');
    return time;
  }

  /** All of them in one text: equal for requests that ask the same. */
  signature(without: readonly string[]): string {
    const kept = [...this.values].filter(([name]) => !without.includes(name)).sort();
    return JSON.stringify([this.offsetHours, kept]);
  }
}

export interface Page {
  readonly skip: number;
  readonly limit: number;
}

/** Default page size everywhere (Close's OpenAPI document, read 2026-11). */
const DEFAULT_LIMIT = 100;

export function readPage(parameters: Parameters, maxLimit: number, maxSkip: number): Page {
  const skip = parameters.count('_skip', 0);
  const limit = parameters.count('_limit', Math.min(DEFAULT_LIMIT, maxLimit));
  if (limit > maxLimit) {
    throw new ApiError(400, {
      error: `The limit you set is larger than the maximum limit for this resource (max_limit = ${String(maxLimit)}).`,
    });
  }
  if (skip > maxSkip) {
    throw new ApiError(400, {
      error: `The skip you set is larger than the maximum skip for this resource (max_skip = ${String(maxSkip)}). Please refine your search query.`,
    });
  }
  return { skip, limit: Math.max(1, limit + parameters.extraRows) };
}

/** Half-open, in microseconds: `from` belongs to it, `to` does not. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}
export const allTime: TimeRange = {
  from: Number.NEGATIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
};

export function intersect(one: TimeRange, other: TimeRange): TimeRange {
  return { from: Math.max(one.from, other.from), to: Math.min(one.to, other.to) };
}

/** Reads `<field>__gte`, `__gt`, `__lt` and `__lte`; these compare to the microsecond. */
export function readTimeRange(parameters: Parameters, field: string): TimeRange {
  const at = (suffix: string, extra: number, whenAbsent: number): number => {
    const time = parameters.time(`${field}__${suffix}`);
    return time === undefined ? whenAbsent : time.micros + extra;
  };
  return {
    from: Math.max(at('gte', 0, allTime.from), at('gt', 1, allTime.from)),
    to: Math.min(at('lt', 0, allTime.to), at('lte', 1, allTime.to)),
  };
}

export function isWithin(range: TimeRange, micros: number): boolean {
  return micros >= range.from && micros < range.to;
}

export interface SortKey {
  readonly name: string;
  readonly isDescending: boolean;
}

export function readSort(
  parameters: Parameters,
  allowed: readonly string[],
  whenAbsent: SortKey,
): SortKey {
  const text = parameters.text('_order_by');
  if (text === undefined) return whenAbsent;
  const isDescending = text.startsWith('-');
  const name = isDescending ? text.slice(1) : text;
  if (!allowed.includes(name)) throw fieldError('_order_by', `Cannot order by "${text}".`);
  return { name, isDescending };
}

/** Numbers of records in some order, of which a page can be taken. */
export interface Selection {
  readonly total: number;
  take(page: Page): number[];
}

export function selectRange(
  order: OrderedIndex,
  range: TimeRange,
  isDescending: boolean,
): Selection {
  const start = order.rankOf(range.from);
  const end = Math.max(start, order.rankOf(range.to));
  const total = end - start;
  return {
    total,
    take: ({ skip, limit }) => {
      const count = Math.max(0, Math.min(limit, total - skip));
      if (!isDescending) return order.slice(start + skip, count);
      return order.slice(end - skip - count, count).reverse();
    },
  };
}

export function selectList(indexes: ArrayLike<number>): Selection {
  return {
    total: indexes.length,
    take: ({ skip, limit }) =>
      Array.from(
        { length: Math.max(0, Math.min(limit, indexes.length - skip)) },
        (_, at) => indexes[skip + at] ?? 0,
      ),
  };
}

/** Those of a selection that are wanted, in its order. */
export function filterSelection(
  selection: Selection,
  isWanted: (index: number) => boolean,
): Selection {
  return selectList(selection.take({ skip: 0, limit: selection.total }).filter(isWanted));
}

/** A page of a list; some lists add totals. */
export type PageBody = JsonObject & { has_more: boolean; data: Json[] };

/**
 * The page as the API answers it. The page is read from the list at once, so that what changes
 * between two requests shows as it does at Close: records move between pages.
 */
export function pageBody(
  selection: Selection,
  page: Page,
  make: (index: number) => JsonObject,
  parameters: Parameters,
): PageBody {
  const fields = parameters.list('_fields');
  const data: Json[] = selection
    .take(page)
    .map((index) => (fields ? pickFields(make(index), fields) : make(index)));
  return { has_more: page.skip + data.length < selection.total, data };
}

/** `custom` means every custom field (Close docs, leads, read 2026-11). */
export function pickFields(record: JsonObject, fields: readonly string[]): JsonObject {
  const picked: JsonObject = {};
  for (const [key, value] of Object.entries(record)) {
    const isCustom = key.startsWith('custom.') && fields.includes('custom');
    if (isCustom || fields.includes('_all') || fields.includes(key)) picked[key] = value;
  }
  for (const name of TRANSCRIPTS) {
    if (record._type === 'Call' && fields.includes(name)) picked[name] = transcript(record, name);
  }
  return picked;
}

/** Calls have these only where they are named (Close docs, calls; since 2023-10-26). */
const TRANSCRIPTS = ['recording_transcript', 'voicemail_transcript'] as const;

function transcript(record: JsonObject, name: (typeof TRANSCRIPTS)[number]): Json {
  const isThere = name === TRANSCRIPTS[0] ? record.has_recording : record.voicemail_url !== null;
  if (isThere !== true) return null;
  const utterance = { speaker_label: 'User', start: 0, end: 2.5, text: 'Hello?' };
  return { summary_html: '<p>A short call.</p>', utterances: [utterance] };
}

const CACHED = 40;

/** Results that had to be worked out record by record, kept until something changes. */
export class WorkedOut<Result> {
  private readonly results = new Map<string, { version: number; result: Result }>();

  get(signature: string, version: number, workOut: () => Result): Result {
    const known = this.results.get(signature);
    if (known?.version === version) return known.result;
    if (this.results.size >= CACHED) this.results.clear();
    const result = workOut();
    this.results.set(signature, { version, result });
    return result;
  }
}
