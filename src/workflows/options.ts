import {
  ActivityCancellationType,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  proxyActivities,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';

/**
 * Every timeout and retry of the product, on one screen.
 *
 * Temporal does all retrying: 2 s, doubled up to 5 minutes, for ever. An error that waiting cannot
 * mend is marked so where it is thrown (`errors.ts`), and then its lane or stream is parked.
 */
const retry = {
  initialInterval: '2s',
  backoffCoefficient: 2,
  maximumInterval: '5m',
} as const;

/** Short work on the database, or one request to Close. */
export const quick = {
  ...short('readSearchAttributes', 'ask the server what it can show'),
  ...short('openConnection', 'prove the key, make the schema'),
  ...short('beginRun', 'plan the slices'),
  ...short('endRun', 'count, and close the run'),
  ...short('openRebuild', 'make the new tables'),
};

/** One activity, with what it is for in the words of the Web UI. */
function short<Name extends keyof Activities>(name: Name, summary: string): Pick<Activities, Name> {
  const proxy = proxyActivities<Activities>({ startToCloseTimeout: '2m', retry, summary });
  return { [name]: proxy[name] } as unknown as Pick<Activities, Name>;
}

/**
 * New tables take the place of the old ones. A lane waits for it, so it is not tried for ever but
 * given back: what locks a view for long may go on, and so may the lane. Indexes that somebody put
 * on the old tables are built in it, hence the hour.
 */
export const swapping = proxyActivities<Pick<Activities, 'swapRebuild' | 'dropReplaced'>>({
  startToCloseTimeout: '1h',
  heartbeatTimeout: '30s',
  retry: { ...retry, maximumAttempts: 3 },
});

/**
 * One activity works for a box of 60 s, then hands back; 5 minutes leave room for a page that waits
 * for Close or for a lock. A worker that dies is noticed within the heartbeat timeout.
 */
export function sliceActivities(summary: string): Pick<Activities, 'syncSlices'> {
  return proxyActivities<Pick<Activities, 'syncSlices'>>({
    startToCloseTimeout: '5m',
    heartbeatTimeout: '30s',
    // The SDK's own default is TRY_CANCEL, which would call it cancelled while a page still commits.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry,
    summary,
  });
}

/** Children are disposable, since position lives with the rows: they are cancelled and started again. */
export const childOptions = {
  parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

/** A key that Close refuses is tried once an hour, and at once when an operator resumes. */
export const PROBE_MS = 60 * 60 * 1000;
/** A historical sync in which a stream failed is tried again after this, or when resumed. */
export const PARKED_RETRY_MS = 60 * 60 * 1000;
/** A swap that found something locked is tried again after this. */
export const SWAP_RETRY_MS = 60 * 1000;
/** After this without a page, the connection's status says that it waits. */
export const STALLED_MS = 2 * 60 * 1000;
/** A history that grew long waits so long for a replication to end before it is stopped. */
export const FRESH_RUN_WAIT_MS = 10 * 60 * 1000;
/** How soon a child is started again when one of its id is just ending. */
export const CHILD_BUSY_RETRY_MS = 5 * 1000;
/**
 * A sync whose history is longer goes on in a fresh one: people read histories, and a worker that
 * takes a sync over reads all of it. The server itself would let it grow to 4,096 events.
 */
export const HISTORY_EVENTS_MAX = 800;
export const HISTORY_BYTES_MAX = 800_000;
/** Slices that one activity is given; each costs its history about a hundred bytes. */
export const SLICES_MAX = 64;
