import type { Answer, CloseClient } from '../../src/close/client.js';
import { fieldText, type CloseWarning } from '../../src/close/list-page.js';
import { createCloseSource } from '../../src/close/source.js';
import {
  addMillis,
  floorToMinute,
  instantFromMillis,
  parseInstant,
  type Instant,
} from '../../src/core/instant.js';
import type { Page } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import type { Position, Slice } from '../../src/core/stream.js';
import { ClosehaulError } from '../../src/errors.js';
import { NEVER } from './test-client.js';

export interface Row {
  id: string;
  created: Instant;
  updated: Instant;
}

export type Order = 'ascending' | 'descending' | 'shuffled';

export type FarOrder = 'in order' | 'backwards';

export interface ListOptions {
  readonly rows: readonly Row[];
  /** Of activities; leads come as the query asks. */
  readonly order?: Order;
  readonly maxSkip?: number;
  /** Ways in which the list can lie. */
  readonly ignoresFilter?: boolean;
  readonly ignoresSort?: boolean;
  readonly ignoresSkip?: boolean;
  readonly hasMore?: (rows: number, isLast: boolean) => boolean | undefined;
  readonly sendsTotal?: boolean;
  /** What it adds to its count of rows. */
  readonly extraTotal?: number;
  /** Rows that it counts and does not give. */
  readonly hides?: (id: string) => boolean;
  /** It takes its time, and answers what was asked at once in this order; absent = it is quick. */
  readonly far?: FarOrder;
  /** Runs after each answer; may change `rows`. */
  readonly afterAnswer?: (list: MovingList) => void;
}

/** Pseudo-random numbers in [0, 1), the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export const START = parseInstant('2026-01-01T00:00:00Z') as Instant;
/** Behind all rows. */
export const LATER = addMillis(START, 400 * 86_400_000);
export const END_OF_TIME = parseInstant('9999-12-31') as Instant;

/** Rows whose clocks lie `gapMs` apart, with microseconds, from START on. */
export function rowsEvery(gapMs: number, count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const at = addMillis(START, index * gapMs);
    return { id: `row_${String(index).padStart(6, '0')}`, created: at, updated: at };
  });
}

/**
 * A list of Close that changes while it is read: `/lead/` with its text query (by the minute) and
 * `/activity/` with its window (by the second).
 */
export class MovingList {
  rows: Row[];
  /** Every version that was ever there: `id@updated`. */
  readonly versions = new Set<string>();
  requests = 0;
  /** The most that were asked at once. */
  atOnceMax = 0;
  readonly #waiting: (() => void)[] = [];
  now: Instant;

  constructor(readonly options: ListOptions) {
    this.rows = options.rows.map((row) => ({ ...row }));
    const last = this.rows.reduce(
      (latest, row) => (row.updated > latest ? row.updated : latest),
      START,
    );
    this.now = addMillis(last, 3_600_000);
    for (const row of this.rows) this.#note(row);
  }

  /** Touches a row: its update time becomes now, so it goes to the end of the leads. */
  update(index: number): void {
    const row = this.rows[index];
    if (row === undefined) return;
    row.updated = this.#tick();
    this.#note(row);
  }

  remove(index: number): void {
    this.rows.splice(index, 1);
  }

  insert(id: string, created?: Instant): void {
    const now = this.#tick();
    const row = { id, created: created ?? now, updated: now };
    this.rows.push(row);
    this.#note(row);
  }

  readonly client: CloseClient = {
    connection: 'Test Closeio',
    close: () => undefined,
    post: () => Promise.reject(new Error('nothing is searched here')),
    get: async (path, params) => {
      if (this.options.far !== undefined) await this.#turn(this.options.far);
      return this.#answer(path, params);
    },
  };

  /** Settles when all that was asked at once is asked and those before it were answered. */
  async #turn(order: FarOrder): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => void this.#settleAll(order));
    });
  }

  async #settleAll(order: FarOrder): Promise<void> {
    const waiting = this.#waiting.splice(0);
    this.atOnceMax = Math.max(this.atOnceMax, waiting.length);
    for (const settle of order === 'backwards' ? waiting.reverse() : waiting) {
      settle();
      await Promise.resolve();
    }
  }

  #answer(path: string, params: Readonly<Record<string, unknown>>): Answer {
    this.requests += 1;
    const skip = this.options.ignoresSkip ? 0 : Number(params['_skip']);
    const limit = Number(params['_limit']);
    const { maxSkip } = this.options;
    if (maxSkip !== undefined && skip > maxSkip) {
      throw new ClosehaulError('CLOSE_SKIP_TOO_FAR', { path, maxSkip });
    }
    const all = path === '/lead/' ? this.#leads(params) : this.#activities(params);
    const { hides = () => false, extraTotal = 0 } = this.options;
    const page = all.slice(skip, skip + limit);
    const data = page.filter(({ id }) => !hides(id)).map(toRecord);
    const isLast = skip + page.length >= all.length;
    const hasMore = this.options.hasMore ? this.options.hasMore(data.length, isLast) : !isLast;
    const body: JsonRecord = {
      data,
      ...(hasMore === undefined ? {} : { has_more: hasMore }),
      ...(this.options.sendsTotal ? { total_results: all.length + extraTotal } : {}),
    };
    this.options.afterAnswer?.(this);
    const tripMs = this.options.far === undefined ? 5 : 150;
    return { body, bytes: 0, requests: 1, tripMs };
  }

  #leads(params: Readonly<Record<string, unknown>>): Row[] {
    const match = /^date_updated>="(\d{4}-\d\d-\d\dT\d\d:\d\d)" sort:date_updated$/.exec(
      String(params['query']),
    );
    const from = parseInstant(match?.[1] ?? '');
    if (from === undefined) throw new Error('the query has another form');
    const rows = this.rows.filter(
      (row) => this.options.ignoresFilter || floorToMinute(row.updated) >= from,
    );
    if (this.options.ignoresSort) return rows.sort((a, b) => compare(hash(a.id), hash(b.id)));
    return rows.sort((a, b) => compare(a.updated, b.updated) || compare(a.id, b.id));
  }

  #activities(params: Readonly<Record<string, unknown>>): Row[] {
    const second = (name: string) => {
      const text = String(params[`date_created__${name}`]);
      if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/.test(text))
        throw new Error('a time without its offset');
      return text.slice(0, 19);
    };
    const [from, to] = [second('gte'), second('lt')];
    const rows = this.rows.filter(
      ({ created }) =>
        this.options.ignoresFilter || (created.slice(0, 19) >= from && created.slice(0, 19) < to),
    );
    const { order = 'descending' } = this.options;
    if (order === 'shuffled') return rows.sort((a, b) => compare(hash(a.id), hash(b.id)));
    const sign = order === 'ascending' ? 1 : -1;
    return rows.sort((a, b) => sign * (compare(a.created, b.created) || compare(a.id, b.id)));
  }

  #tick(): Instant {
    this.now = instantFromMillis(Date.parse(this.now) + 7_001);
    return this.now;
  }

  #note(row: Row): void {
    this.versions.add(`${row.id}@${row.updated}`);
  }
}

export interface Reading {
  readonly pages: Page[];
  readonly records: JsonRecord[];
  readonly ids: ReadonlySet<string>;
  readonly warnings: CloseWarning[];
}

/** Reads a slice to its end; `from` resumes at a stored position. */
export async function readSlice(
  list: Pick<MovingList, 'client'>,
  slice: Slice,
  from: Position | null = null,
  pageSize = 10,
): Promise<Reading> {
  const warnings: CloseWarning[] = [];
  const source = createCloseSource({
    client: list.client,
    pageSize,
    warn: (warning) => warnings.push(warning),
  });
  const pages: Page[] = [];
  // Through JSON, as the destination stores it.
  const position = JSON.parse(JSON.stringify(from)) as Position | null;
  for await (const page of source.fetchPages(slice, position, NEVER)) {
    pages.push(page);
    if (pages.length > 5_000) throw new Error('endless');
  }
  const records = pages.flatMap((page) => page.records);
  return {
    pages,
    records,
    warnings,
    ids: new Set(records.map((record) => fieldText(record, 'id'))),
  };
}

export function leadSlice(from: Instant, to: Instant): Slice {
  return { stream: 'leads', part: 'lead', from, to };
}

export function activitySlice(from: Instant, to: Instant): Slice {
  return { stream: 'activities', part: 'activity', from, to };
}

function toRecord(row: Row): JsonRecord {
  const close = (instant: Instant) => instant.replace('Z', '+00:00');
  return { id: row.id, date_created: close(row.created), date_updated: close(row.updated) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function hash(text: string): string {
  let value = 7;
  for (const letter of text) value = (Math.imul(value, 31) + letter.charCodeAt(0)) >>> 0;
  return String((value * 2_654_435_761) % 2 ** 32).padStart(10, '0');
}
