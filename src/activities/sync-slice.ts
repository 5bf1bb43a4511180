import { setMaxListeners } from 'node:events';
import { Context } from '@temporalio/activity';
import { LIVE_JOB, type SliceRef, type SlicesProgress } from '../contract.js';
import { CENSUS } from '../core/slice.js';
import { ClosehaulError } from '../errors.js';
import { readCheckpoint } from '../postgres/checkpoints.js';
import { readSelection } from '../postgres/connections.js';
import { loadPage } from '../postgres/load.js';
import { storedVersions } from '../postgres/stored-versions.js';
import { streamOf, type ActivityDeps } from './deps.js';
import { toFailure } from './failure.js';
import { ready, received } from './page-batch.js';
import { readAhead } from './read-ahead.js';
import { reconcilePages } from './reconcile.js';
import { parkedBy, SliceBox, type SliceFailure } from './slice-box.js';

const HEARTBEAT_MS = 5_000;
/** Tries after which a stream that fails alone holds up the others no longer: 14 s of waiting. */
const PATIENT_ATTEMPTS = 4;

/**
 * Syncs slices in order, of one stream or of several, until one ends late enough to tell of it or
 * the time box is over. An empty month or a small list then costs a request, and not an activity of
 * its own. While Close answers slowly, several slices are read at once.
 */
export async function syncSlices(
  refs: readonly SliceRef[],
  deps: ActivityDeps,
): Promise<SlicesProgress> {
  const { cancellationSignal, heartbeat, attempt } = activityContext();
  const box = new SliceBox(refs, deps);
  // Each request that is under way listens to it, and Node would warn of more than ten.
  setMaxListeners(0, cancellationSignal);
  // Close may take longer to answer than the heartbeat timeout, and a cancellation only comes with
  // a heartbeat. Each request has a deadline of its own, so a hung one does not look alive for ever.
  const ticker = setInterval(() => heartbeat(box.shown()), HEARTBEAT_MS);
  const running = new Set<Promise<void>>();
  try {
    for (;;) {
      for (let ref = box.take(); ref !== undefined; ref = box.take()) {
        const work = syncSlice(ref, box, deps).finally(() => running.delete(work));
        running.add(work);
      }
      if (running.size === 0) break;
      await box.untilChange(running);
    }
  } finally {
    clearInterval(ticker);
  }
  cancellationSignal.throwIfAborted();
  const failure = box.failure();
  if (failure === undefined) return box.result();
  if (attempt < PATIENT_ATTEMPTS || !(await isItsOwn(failure, deps, cancellationSignal))) {
    throw toFailure(failure.error, failure.ref.stream);
  }
  return { ...box.result(), parked: parkedBy(failure) };
}

/**
 * Whether it is this stream alone that fails: Close answers who the key belongs to, or nobody
 * foresaw the error. Then the others need not wait. What the database or the rate limit refuses is
 * everybody's, and waiting mends it.
 */
async function isItsOwn(
  { ref, error }: SliceFailure,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(error instanceof ClosehaulError)) return true;
  if (!error.code.startsWith('CLOSE_') || error.code === 'CLOSE_RATE_LIMITED') return false;
  return deps
    .sourceOf(ref.schema)
    .identify(signal)
    .then(
      () => true,
      () => false,
    );
}

/**
 * A record's whole journey: fetch → de-nest → load, one page one transaction. Position comes from
 * the checkpoint beside the rows and from nowhere else, so any attempt, on any worker, at any time,
 * goes on exactly behind the last page that was committed.
 */
async function syncSlice(ref: SliceRef, box: SliceBox, deps: ActivityDeps): Promise<void> {
  try {
    box.settle(ref, await syncPages(ref, box, deps));
  } catch (error) {
    box.fail(ref, error);
  }
}

/** Whether the slice is complete; false when the time box ended first. */
async function syncPages(ref: SliceRef, box: SliceBox, deps: ActivityDeps): Promise<boolean> {
  const { pool, probe } = deps;
  const { cancellationSignal, heartbeat } = activityContext();
  const checkpoint = await readCheckpoint(pool, ref);
  if (checkpoint === undefined) throw new ClosehaulError('SLICE_UNKNOWN', { stream: ref.stream });
  if (checkpoint.isDone) return true;
  const catalog = await deps.catalogOf(ref.schema);
  const selection = await readSelection(pool, ref.schema);
  const context = { ref, deps, catalog, selection, signal: cancellationSignal };
  const lane = ref.job === LIVE_JOB ? 'live' : 'history';
  const source = await deps.provenSourceOf(ref.schema, lane, cancellationSignal);

  const { slice, position } = checkpoint;
  const isCensus = slice.part === CENSUS;
  const fetched = isCensus
    ? reconcilePages(ref, slice, position, source, deps, cancellationSignal)
    : source.fetchPages(slice, position, cancellationSignal, selection.streams, (versions) =>
        storedVersions(pool, catalog, streamOf(deps, ref.stream), versions),
      );
  const pages = received(box.within(fetched), deps.now);
  let { version } = checkpoint;
  // A census asks the database what its last page left to settle.
  for await (const { page, batch } of ready(isCensus ? pages : readAhead(pages), context)) {
    const counts = await loadPage({ ...batch, version }, { pool, catalog, probe });
    await probe('page-committed', ref);

    version += 1;
    box.addPage(ref, page, counts);
    heartbeat(box.shown());
    if (page.missing !== undefined) throw recordsMissing(ref, page.missing);
    if (page.next === null) return true;
    cancellationSignal.throwIfAborted();
  }
  return false;
}

function recordsMissing({ stream }: SliceRef, missing: number): ClosehaulError {
  return new ClosehaulError('CLOSE_RECORDS_MISSING', { stream, missing });
}

interface ActivityContext extends Pick<Context, 'cancellationSignal' | 'heartbeat'> {
  readonly attempt: number;
}

function activityContext(): ActivityContext {
  const context = Context.current();
  return {
    cancellationSignal: context.cancellationSignal,
    heartbeat: (details) => context.heartbeat(details),
    attempt: context.info.attempt,
  };
}
