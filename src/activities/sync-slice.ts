import { Context } from '@temporalio/activity';
import type { SliceProgress, SliceRef, SlicesProgress } from '../contract.js';
import type { Page } from '../core/ports.js';
import { ClosehaulError } from '../errors.js';
import { readCheckpoint } from '../postgres/checkpoints.js';
import { readSelection } from '../postgres/connections.js';
import { loadPage } from '../postgres/load.js';
import type { ActivityDeps } from './deps.js';
import { received, toBatch } from './page-batch.js';
import { readAhead } from './read-ahead.js';

/**
 * How long one activity works before it hands back. Short enough that a pause or a new version is
 * taken up within a minute, long enough that a million records make few hundred events.
 */
export const BOX_MS = 60_000;
/** Slices that are done sooner than this are followed by the next in the same activity. */
const NEXT_SLICE_WITHIN_MS = 5_000;
/** Pages fetched ahead at most: two hide a latency of three times the load. */
const READ_AHEAD_PAGES_MAX = 2;
const HEARTBEAT_MS = 5_000;

/**
 * Syncs slices of one stream, in order, until one ends late enough to tell of it or the time box is
 * over. An empty month then costs a request, and not an activity of its own.
 */
export async function syncSlices(
  refs: readonly SliceRef[],
  deps: ActivityDeps,
): Promise<SlicesProgress> {
  const startedMs = deps.nowMs();
  let total = startProgress(true);
  let slicesDone = 0;
  for (const ref of refs) {
    const progress = await syncSlice(ref, deps).catch((error: unknown) => {
      if (total.pages === 0 || !isPassing(error)) throw error;
      return startProgress(false);
    });
    total = addProgress(total, progress);
    if (!progress.isDone) break;
    slicesDone += 1;
    if (deps.nowMs() - startedMs >= NEXT_SLICE_WITHIN_MS) break;
  }
  return { ...total, isDone: slicesDone === refs.length, slicesDone };
}

/**
 * A record's whole journey: fetch → de-nest → load, one page one transaction. Position comes from
 * the checkpoint beside the rows and from nowhere else, so any attempt, on any worker, at any time,
 * goes on exactly behind the last page that was committed.
 *
 * Returns counts for people; `isDone` is false when the time box ended first, or when a passing
 * failure came after some pages.
 */
async function syncSlice(ref: SliceRef, deps: ActivityDeps): Promise<SliceProgress> {
  const { pool, nowMs, probe } = deps;
  const { cancellationSignal, heartbeat } = activityContext();
  const checkpoint = await readCheckpoint(pool, ref);
  if (checkpoint === undefined) throw new ClosehaulError('SLICE_UNKNOWN', { stream: ref.stream });

  let progress = startProgress(checkpoint.isDone);
  if (checkpoint.isDone) return progress;
  const catalog = await deps.catalogOf(ref.schema);
  const selection = await readSelection(pool, ref.schema);
  const context = { ref, deps, catalog, selection, signal: cancellationSignal };
  const source = await deps.provenSourceOf(ref.schema, cancellationSignal);
  const stopsAtMs = nowMs() + BOX_MS;

  // Close may take longer to answer than the heartbeat timeout, and a cancellation only comes with
  // a heartbeat. Each request has a deadline of its own, so a hung one does not look alive for ever.
  const ticker = setInterval(() => heartbeat({ stream: ref.stream, ...progress }), HEARTBEAT_MS);
  try {
    const pages = received(
      source.fetchPages(
        checkpoint.slice,
        checkpoint.position,
        cancellationSignal,
        selection.streams,
      ),
      deps.now,
    );
    for await (const page of readAhead(pages, { pagesMax: READ_AHEAD_PAGES_MAX, nowMs })) {
      await probe('page-fetched');
      const batch = await toBatch(page, checkpoint.version + progress.pages, context);
      await probe('page-denested');
      const counts = await loadPage(batch, { pool, catalog, probe });
      await probe('page-committed');

      progress = addPage(progress, page.page, counts);
      heartbeat({ stream: ref.stream, ...progress });
      if (progress.isDone || nowMs() >= stopsAtMs) break;
      cancellationSignal.throwIfAborted();
    }
  } catch (error) {
    if (progress.pages === 0 || !isPassing(error)) throw error;
  } finally {
    clearInterval(ticker);
  }
  return progress;
}

/**
 * Whether to hand back instead of failing. Pages that were committed are progress: the next activity
 * then begins with fresh patience, while one that fails at its first page waits longer each time.
 */
function isPassing(error: unknown): boolean {
  const { cancellationSignal } = activityContext();
  const isOurs = error instanceof ClosehaulError && error.recovery === 'retry';
  return isOurs && !cancellationSignal.aborted;
}

function activityContext(): Pick<Context, 'cancellationSignal' | 'heartbeat'> {
  const context = Context.current();
  return {
    cancellationSignal: context.cancellationSignal,
    heartbeat: (details) => context.heartbeat(details),
  };
}

function startProgress(isDone: boolean): SliceProgress {
  return { isDone, pages: 0, records: 0, inserted: 0, rows: 0, rejected: 0 };
}

function addPage(
  progress: SliceProgress,
  page: Page,
  counts: { inserted: number; rows: number; rejected: number },
): SliceProgress {
  return {
    isDone: page.next === null,
    pages: progress.pages + 1,
    records: progress.records + page.records.length,
    inserted: progress.inserted + counts.inserted,
    rows: progress.rows + counts.rows,
    rejected: progress.rejected + counts.rejected,
  };
}

function addProgress(total: SliceProgress, progress: SliceProgress): SliceProgress {
  return {
    isDone: progress.isDone,
    pages: total.pages + progress.pages,
    records: total.records + progress.records,
    inserted: total.inserted + progress.inserted,
    rows: total.rows + progress.rows,
    rejected: total.rejected + progress.rejected,
  };
}
