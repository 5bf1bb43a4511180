import type { SliceProgress, SliceRef, SlicesProgress, StreamProgress } from '../contract.js';
import { parseInstant, type Instant } from '../core/instant.js';
import type { Page } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import { sliceWords } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import type { ActivityDeps } from './deps.js';
import { toFailure } from './failure.js';

/**
 * How long one activity works before it hands back. Short enough that a pause or a new version is
 * taken up within a minute, long enough that a million records make few hundred events.
 */
export const BOX_MS = 60_000;
/** A slice that ends later than this is the last: the connection wants to know how far it is. */
const NEXT_SLICE_WITHIN_MS = 5_000;
/** Slices that are read at once: while one waits for PostgreSQL, the other makes its rows. */
export const SLICES_AT_ONCE = 2;
/**
 * The same while Close answers slowly: of several lists, since each has a limit of its own, and of the
 * longest, which stands first in its stream, others that go on while one ends.
 */
export const SLOW_SLICES_AT_ONCE = 4;
/** Close itself answers in 100 to 300 ms. */
const SLOW_MS = 100;

/** A slice that could not be read on. */
export interface SliceFailure {
  readonly ref: SliceRef;
  readonly error: unknown;
}

/** The slices of one activity: which is next, what came of each, and when it is enough. */
export class SliceBox {
  private readonly startedMs: number;
  private readonly running = new Set<SliceRef>();
  private readonly taken = new Set<SliceRef>();
  private readonly done = new Set<SliceRef>();
  private readonly failures: SliceFailure[] = [];
  private readonly progress = new Map<string, StreamProgress>();
  private readonly reading = new Map<SliceRef, Omit<SliceReading, 'slice'>>();
  /** In the order in which they stand. */
  private readonly lists: readonly string[];
  private isSlow = false;
  private wake: () => void = () => undefined;
  private readonly slow = new Promise<void>((resolve) => (this.wake = resolve));
  private isEnough = false;

  constructor(
    private readonly refs: readonly SliceRef[],
    private readonly deps: Pick<ActivityDeps, 'streams' | 'nowMs' | 'slicesAtOnce'>,
  ) {
    this.startedMs = deps.nowMs();
    this.lists = [...new Set(refs.map(listOf))];
  }

  /** The next slice to begin with; undefined when none is to be begun now. */
  take(): SliceRef | undefined {
    const usual = this.isSlow ? SLOW_SLICES_AT_ONCE : SLICES_AT_ONCE;
    const slicesMax = this.deps.slicesAtOnce ?? usual;
    if (this.running.size >= slicesMax || this.isEnding()) return undefined;
    const failed = new Set(this.failures.map(({ ref }) => ref.stream));
    const open = this.refs.filter(
      (ref) => !this.taken.has(ref) && !failed.has(ref.stream) && !this.isCarried(ref),
    );
    const next = this.firstOf(open);
    if (next === undefined) return undefined;
    this.taken.add(next);
    this.running.add(next);
    return next;
  }

  /** One slice of each list comes first; what is left is for the lists that stand first. */
  private firstOf(open: readonly SliceRef[]): SliceRef | undefined {
    const read = new Set([...this.running].map(listOf));
    const unread = open.find((ref) => !read.has(listOf(ref)));
    if (unread !== undefined) return unread;
    const left = new Set(open.map(listOf));
    const list = this.lists.find((name) => left.has(name));
    return open.find((ref) => listOf(ref) === list);
  }

  /** Whether pages of another stream bring its records, and close its slice, if it only waits. */
  private isCarried({ stream }: SliceRef): boolean {
    const carrier = this.deps.streams.find(({ name }) => name === stream)?.carriedBy;
    return [...this.running].some((ref) => ref.stream === carrier);
  }

  /** Pages of a slice, as long as the activity lasts; what was asked for by then is still given. */
  async *within(pages: AsyncGenerator<Page>): AsyncGenerator<Page> {
    const askedMs = this.deps.nowMs();
    let isFirst = true;
    for await (const page of pages) {
      // Later ones wait for us, too.
      if (isFirst && this.deps.nowMs() - askedMs >= SLOW_MS) this.noteSlow();
      isFirst = false;
      yield page;
      if (this.isEnding() && page.isNextAsked !== true) return;
    }
  }

  /** Whether the pages at hand are the last of this activity. */
  isEnding(): boolean {
    return this.isEnough || this.deps.nowMs() - this.startedMs >= BOX_MS;
  }

  /** Close answers slowly: more slices at once hide it. */
  noteSlow(): void {
    this.isSlow = true;
    this.wake();
  }

  /** Settles when it is worth asking for a slice again. */
  async untilChange(works: Iterable<Promise<void>>): Promise<void> {
    await Promise.race(this.isSlow ? works : [...works, this.slow]);
  }

  addPage(ref: SliceRef, page: Page, counts: PageCounts): void {
    const { stream } = ref;
    const last = this.reading.get(ref);
    this.reading.set(ref, {
      page: (last?.page ?? 0) + 1,
      rows: (last?.rows ?? 0) + counts.rows,
      through: this.clockOf(stream, page.records.at(-1)) ?? last?.through ?? null,
    });
    const before = this.progress.get(stream) ?? { stream, ...NOTHING };
    this.progress.set(stream, {
      stream,
      pages: before.pages + 1,
      records: before.records + page.records.length,
      inserted: before.inserted + counts.inserted,
      rows: before.rows + counts.rows,
      rejected: before.rejected + counts.rejected,
    });
  }

  /** The time of a record; nothing else of it may be shown. */
  private clockOf(stream: string, record: JsonRecord | undefined): Instant | undefined {
    const shape = this.deps.streams.find(({ name }) => name === stream);
    const clock = shape === undefined ? undefined : record?.[shape.clockField];
    return typeof clock === 'string' ? parseInstant(clock) : undefined;
  }

  /** It came to its end, or to that of the activity. */
  settle(ref: SliceRef, isDone: boolean): void {
    this.running.delete(ref);
    if (isDone) this.done.add(ref);
    // With several at once, stopping for one of them would leave Close idle.
    const isLate = this.deps.nowMs() - this.startedMs >= NEXT_SLICE_WITHIN_MS;
    if (isDone && isLate && !this.isSlow) this.isEnough = true;
  }

  /** The slices beside it go on; alone, it ends the activity, so that what was done is told. */
  fail(ref: SliceRef, error: unknown): void {
    this.running.delete(ref);
    this.failures.push({ ref, error });
    if (!this.isSlow) this.isEnough = true;
  }

  /**
   * The failure to throw, so that Temporal waits longer each time; none beside progress, since the
   * next activity then begins with fresh patience. What waiting does not mend is parked beside it.
   */
  failure(): SliceFailure | undefined {
    return this.progress.size > 0 || this.done.size > 0 ? undefined : this.failures[0];
  }

  result(): SlicesProgress {
    const done = this.refs.flatMap((ref, index) => (this.done.has(ref) ? [index] : []));
    const lasting = this.failures.find(({ error }) => isLasting(error));
    return {
      ...{ done, streams: [...this.progress.values()] },
      parked: lasting === undefined ? null : parkedBy(lasting),
    };
  }

  /** For people who look at the pending activity. */
  shown(): { readonly reading: readonly SliceReading[] } & SliceProgress {
    const total = [...this.progress.values()].reduce(addProgress, NOTHING);
    const reading = [...this.running].map((ref) => ({
      slice: sliceWords(ref),
      ...(this.reading.get(ref) ?? { page: 0, rows: 0, through: null }),
    }));
    return { reading, ...total };
  }
}

/** The list that a slice is read from: its stream and part. */
function listOf({ stream, slice }: SliceRef): string {
  return `${stream} ${slice.slice(0, slice.indexOf(':'))}`;
}

/** How far a slice is in this activity. */
interface SliceReading {
  readonly slice: string;
  readonly page: number;
  readonly rows: number;
  /** The time of the record that was loaded last, by the clock of its stream. */
  readonly through: Instant | null;
}

/** What the next activity would only meet again. */
function isLasting(error: unknown): boolean {
  return error instanceof ClosehaulError && error.recovery === 'fail-stream';
}

export function parkedBy({ ref, error }: SliceFailure): SlicesProgress['parked'] {
  return { stream: ref.stream, message: toFailure(error).message };
}

type PageCounts = Pick<SliceProgress, 'inserted' | 'rows' | 'rejected'>;

const NOTHING: SliceProgress = { pages: 0, records: 0, inserted: 0, rows: 0, rejected: 0 };

function addProgress(a: SliceProgress, b: SliceProgress): SliceProgress {
  return {
    pages: a.pages + b.pages,
    records: a.records + b.records,
    inserted: a.inserted + b.inserted,
    rows: a.rows + b.rows,
    rejected: a.rejected + b.rejected,
  };
}
