import type { JsonRecord } from '../core/record.js';
import { ClosehaulError } from '../errors.js';
import { AskedPages } from './asked-pages.js';
import { fieldText, type CloseList, type ListPage } from './list-page.js';
import { pathPattern } from './rate-limit.js';
import type { QueryParams } from './request.js';

/** A row that was read: its id and its clock. A row whose clock moved is not where it was. */
export type Mark = readonly [id: string, clock: string];

/** Where a walk stands inside one query; plain JSON, part of a Position. */
export interface SkipState {
  readonly skip: number;
  /** Rows to ask for; halved when an answer is too large, doubled back after each page. */
  readonly limit: number;
  /** Rows of the last step back; 0 when the last page joined. */
  readonly back: number;
  /** The last rows of the page before; empty at the start of a query. */
  readonly marks: readonly Mark[];
  /**
   * Different rows that were read so far. Where rows moved it may count some of them twice, and never
   * too few. Null: a version that did not count began to read.
   */
  readonly read: number | null;
}

export type WalkStep =
  | { readonly is: 'page'; readonly page: ListPage; readonly next: SkipState }
  /** No marked row is in the answer: rows before it went away, and rows may have been jumped. */
  | { readonly is: 'moved' }
  /** Close does not page so far in one query. */
  | { readonly is: 'tooFar' };

/**
 * Pages that are asked for at once while Close takes its time: at 150 ms an answer, one at a time would
 * be 6 requests of the 20 that Close may allow in a second; six at once are enough for the last slice, too.
 */
const PAGES_AT_ONCE = 6;
/** Close itself answers in 100 to 300 ms; below that a kill should cost no more than a page. */
const LONG_TRIP_MS = 100;
/** Rows that a page has in common with the one before. */
const OVERLAP = 1;
const MARKS = 10;
const EMPTY_PAGES_MAX = 3;
const REPEATED_PAGES_MAX = 2;

export function startSkip(limit: number): SkipState {
  return { skip: 0, limit, back: 0, marks: [], read: 0 };
}

/** How many rows Close counts and did not give; 0 where one of the two is not known. */
export function missingOf({
  read,
  total,
}: Pick<SkipState, 'read'> & { readonly total: number | null }): number {
  return read === null || total === null ? 0 : Math.max(0, total - read);
}

/**
 * Half a page back, then twice as far each time. A page that starts half-way in rows that are known
 * joins whenever fewer than half a page of rows went away. At 0 there is nothing left to join to.
 */
export function stepBack(state: SkipState): SkipState {
  const back = state.back === 0 ? Math.max(1, Math.floor(state.limit / 2)) : state.back * 2;
  const skip = Math.max(0, state.skip - back);
  return { ...state, skip, back, marks: skip === 0 ? [] : state.marks };
}

/**
 * Pages one query by `_skip` without trusting it: rows that vanish or move while we read shift the
 * rest to the left, past the next `_skip`. So each page starts on the last row of the one before,
 * and one of the rows at that page's end must be in it again, unchanged. An unchanged row keeps its
 * place in the order, so all that stands before it was read.
 *
 * That holds in whatever order pages were answered. So where Close takes its time, several are asked
 * for at once, as far as there are rows; once they came otherwise than expected, one by one.
 *
 * One instance lives as long as one call of fetchPages: the guards against endless lists start anew
 * with each, and their errors leave the stored position where it was.
 */
export class SkipWalk {
  #requests = 0;
  #repeats = 0;
  #previousIds: ReadonlySet<string> | undefined;
  readonly #asked: AskedPages;
  #mayAskMore = true;
  /** Rows of the query and the time of its answer, as its last page told. */
  #last: Pick<ListPage, 'total' | 'tripMs'> = { total: null, tripMs: 0 };

  /** `skipMax`: from there on another query is asked. */
  constructor(
    readonly list: CloseList,
    private skipMax = Infinity,
  ) {
    this.#asked = new AskedPages(list);
  }

  /** Whether the page after the one that was given last is under way. */
  get isNextAsked(): boolean {
    return this.#asked.size > 0;
  }

  /** Requests since the last call; for Page.requests. */
  takeRequests(): number {
    const requests = this.#requests;
    this.#requests = 0;
    return requests;
  }

  /**
   * Asks for the page at `state`. Throws CLOSE_PAGING_LOOP when Close keeps promising rows and sends
   * none or the same, CLOSE_BODY_TOO_LARGE when a single row is, and what fetchListPage throws.
   *
   * `rowsLeft`: about how many follow the page before, where Close does not count them.
   */
  async step(params: QueryParams, state: SkipState, rowsLeft = 0): Promise<WalkStep> {
    let { skip, limit } = state;
    for (let empties = 0; ;) {
      this.#askFor(params, skip, limit, rowsLeft);
      const answer = await this.#answer(params, skip, limit);
      if (answer === 'tooFar') return { is: 'tooFar' };
      if (answer === 'tooLarge') {
        limit = Math.floor(limit / 2);
        continue;
      }
      if (answer.rows.length === 0 && answer.hasMore) {
        empties += 1;
        if (empties > EMPTY_PAGES_MAX) throw this.#loop();
        // Asked once more at the same place, for it may have been a slip; then rows are passed over
        // that Close counts and does not show.
        if (empties > 1) skip += limit;
        continue;
      }
      const isJoined = empties > 1 || skip === 0 || this.#joins(answer.rows, state.marks);
      return isJoined ? this.#accept(answer, { ...state, skip, limit }) : { is: 'moved' };
    }
  }

  /** Asks for a page that was not asked for yet, and with it for those that are likely to follow. */
  #askFor(params: QueryParams, skip: number, limit: number, rowsLeft: number): void {
    if (this.#asked.has(requestAt(params, skip, limit))) return;
    if (this.#asked.size > 0) this.#mayAskMore = false;
    this.#requests += this.#asked.forget();
    const requests = Array.from({ length: this.#pagesAtOnce(skip, limit, rowsLeft) }, (_, page) =>
      requestAt(params, skip + page * stepOf(limit), limit),
    );
    this.#asked.ask(requests);
  }

  #pagesAtOnce(skip: number, limit: number, rowsLeft: number): number {
    const { total, tripMs } = this.#last;
    // The first page of a query tells how many rows there are.
    const isFirst = skip === 0 || tripMs < LONG_TRIP_MS;
    if (isFirst || !this.#mayAskMore || limit < this.list.pageSize) return 1;
    const rows = total === null ? rowsLeft : total - OVERLAP - skip;
    const pages = Math.ceil(Math.min(rows, this.skipMax - skip) / stepOf(limit));
    return Math.min(Math.max(1, pages), PAGES_AT_ONCE);
  }

  async #answer(
    params: QueryParams,
    skip: number,
    limit: number,
  ): Promise<ListPage | 'tooFar' | 'tooLarge'> {
    try {
      const page = await this.#asked.take(requestAt(params, skip, limit));
      this.#requests += page.requests;
      this.#last = page;
      return page;
    } catch (error) {
      this.#requests += 1;
      if (!(error instanceof ClosehaulError)) throw error;
      if (error.code === 'CLOSE_SKIP_TOO_FAR' && skip > 0) {
        this.#requests += this.#asked.forget();
        this.skipMax = Math.min(this.skipMax, skip);
        return 'tooFar';
      }
      if (error.code === 'CLOSE_BODY_TOO_LARGE' && limit > 1) return 'tooLarge';
      throw error;
    }
  }

  #joins(rows: readonly JsonRecord[], marks: readonly Mark[]): boolean {
    if (marks.length === 0) return true;
    const present = new Set(rows.map((row) => JSON.stringify(this.#markOf(row))));
    return marks.some((mark) => present.has(JSON.stringify(mark)));
  }

  #accept(page: ListPage, state: SkipState): WalkStep {
    const { rows } = page;
    const ids = new Set(rows.map((row) => fieldText(row, 'id')));
    const hasNew = [...ids].some((id) => !this.#previousIds?.has(id));
    // After a step back the page repeats the one before by intention.
    if (page.hasMore && !hasNew && state.back === 0) {
      this.#repeats += 1;
      if (this.#repeats >= REPEATED_PAGES_MAX) throw this.#loop();
    } else {
      this.#repeats = 0;
    }
    const read = this.#count(ids, state);
    this.#previousIds = ids;
    // A list that says it ended, yet counted more rows than it gave, is asked once more.
    const isShort = page.total !== null && state.skip + rows.length < page.total;
    const hasMore = page.hasMore || (isShort && rows.length > 0 && hasNew);
    return { is: 'page', page: { ...page, hasMore }, next: { ...this.#after(rows, state), read } };
  }

  /** Rows of the page before come again, for pages overlap. */
  #count(ids: ReadonlySet<string>, { read, marks }: SkipState): number | null {
    if (read === null) return null;
    const known = this.#previousIds ?? new Set(marks.map(([id]) => id));
    return read + (read === 0 ? ids.size : [...ids].filter((id) => !known.has(id)).length);
  }

  #after(rows: readonly JsonRecord[], state: SkipState): Omit<SkipState, 'read'> {
    // A page of one row would start the next page on itself for ever.
    const overlap = rows.length > 1 ? OVERLAP : 0;
    return {
      skip: state.skip + rows.length - overlap,
      limit: Math.min(this.list.pageSize, state.limit * 2),
      back: 0,
      marks: overlap === 0 ? [] : rows.slice(-MARKS).map((row) => this.#markOf(row)),
    };
  }

  #markOf(row: JsonRecord): Mark {
    return [fieldText(row, 'id'), fieldText(row, this.list.clockField)];
  }

  #loop(): ClosehaulError {
    return new ClosehaulError('CLOSE_PAGING_LOOP', { path: pathPattern(this.list.path) });
  }
}

/** Rows from the beginning of a full page to that of the next. */
function stepOf(limit: number): number {
  return Math.max(1, limit - OVERLAP);
}

function requestAt(params: QueryParams, skip: number, limit: number): QueryParams {
  return { ...params, _skip: skip, _limit: limit };
}
