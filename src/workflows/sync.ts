import {
  ApplicationFailure,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import {
  LIVE_JOB,
  type ProgressReport,
  type RunInput,
  type RunKind,
  type RunResult,
  type SliceRef,
  type SlicesProgress,
  type SyncInput,
} from '../contract.js';
import { rebuildSchema, schemaName } from '../core/naming.js';
import { ERRORS } from '../errors.js';
import { sliceSummary, syncDetails } from './details.js';
import { invalidInput } from './input.js';
import { progressSignal } from './messages.js';
import {
  HISTORY_BYTES_MAX,
  HISTORY_EVENTS_MAX,
  quick,
  sliceActivities,
  SLICES_MAX,
  STALLED_MS,
} from './options.js';
import { failureOf, recoveryOf } from './sync-failure.js';

/** A finite sync: plan it, sync its slices one after the other, close it. */
export async function historicalSync(input: SyncInput | string): Promise<RunResult> {
  return runSync(runInput(input, 'initial'), () => continueAsNew<typeof historicalSync>(input));
}

/** One replication: what changed since the bookmarks. */
export async function incrementalSync(input: SyncInput | string): Promise<RunResult> {
  return runSync(runInput(input, 'incremental'), () =>
    continueAsNew<typeof incrementalSync>(input),
  );
}

/** Of the others, each that is started alone is a job of its own. */
const DEFAULT_JOBS: Partial<Record<RunKind, string>> = {
  ...{ initial: 'initial', rebuild: 'initial', incremental: LIVE_JOB },
};

function runInput(input: SyncInput | string, defaultKind: RunKind): RunInput {
  const sync: SyncInput = typeof input === 'string' ? { name: input } : input;
  if (typeof sync !== 'object' || sync === null) {
    throw invalidInput('The input needs a "name", such as {"name":"Stitch Closeio"}.');
  }
  const { schema, problem } = schemaName(String(sync.name));
  if (problem !== undefined) {
    const { message, next } = ERRORS[problem];
    throw ApplicationFailure.nonRetryable(`${message} ${next}`, problem);
  }
  const kind = sync.kind ?? defaultKind;
  const info = workflowInfo();
  return {
    schema: kind === 'rebuild' ? rebuildSchema(schema) : schema,
    kind,
    job: sync.job ?? DEFAULT_JOBS[kind] ?? `${kind}/${info.firstExecutionRunId}`,
    run: `${info.workflowId}/${info.runId}`,
    streams: sync.streams ?? null,
    from: sync.from ?? null,
    to: sync.to ?? null,
  };
}

async function runSync(run: RunInput, goOn: () => Promise<never>): Promise<RunResult> {
  const { slices } = await quick.beginRun(run);
  const problems: Record<string, string> = {};
  const isDone = await syncAll(run, slices, problems);
  // A connection starts it again when it suits the connection; one that stands alone does so itself.
  if (!isDone && workflowInfo().parent === undefined) return goOn();
  if (!isDone) return { outcome: 'yielded', records: 0, rows: 0, streams: [] };
  return quick.endRun({ ...run, problems });
}

/** All slices, in order. False when this history grew long: the next run goes on from the checkpoints. */
async function syncAll(
  run: RunInput,
  slices: readonly SliceRef[],
  problems: Record<string, string>,
): Promise<boolean> {
  const loaded = { records: 0, rows: 0 };
  let open = slices;
  while (open.length > 0) {
    const refs = open.slice(0, SLICES_MAX);
    setCurrentDetails(syncDetails(refs, open.length, loaded));
    const { done, streams, parked } = await syncSome(run, refs, open.length);
    for (const { records, rows } of streams) {
      loaded.records += records;
      loaded.rows += rows;
    }
    const closed = new Set(done.map((index) => refs[index]));
    open = open.filter((ref) => !closed.has(ref) && ref.stream !== parked?.stream);
    if (parked !== null) {
      // One stream's trouble is its own; the next sync tries it again.
      problems[parked.stream] = parked.message;
      log.warn('stream parked', { stream: parked.stream });
    }
    // After the work and not before it, so that no run ends without any.
    if (open.length > 0 && isHistoryLong()) return false;
  }
  return true;
}

function isHistoryLong(): boolean {
  const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
  return (
    continueAsNewSuggested ||
    historyLength >= HISTORY_EVENTS_MAX ||
    historySize >= HISTORY_BYTES_MAX
  );
}

/** One activity's work, told to the connection. */
async function syncSome(
  run: RunInput,
  refs: readonly SliceRef[],
  openCount: number,
): Promise<SlicesProgress> {
  const activity = sliceActivities(sliceSummary(refs, openCount));
  const progress = await watched(run, activity.syncSlices(refs)).catch(parkedBy);
  // The result of an incremental sync follows at once; each report is four events in two histories.
  const isToldByResult = run.kind === 'incremental' && progress.done.length === openCount;
  if (progress.streams.length > 0 && !isToldByResult) {
    await report(run, { isStalled: false, streams: progress.streams });
  }
  return progress;
}

/** A failure that waiting does not mend parks its stream; a refused key, a cancellation concern all. */
function parkedBy(error: unknown): SlicesProgress {
  const { message, stream } = failureOf(error);
  if (isCancellation(error) || recoveryOf(error) === 'stop-connection' || stream === null)
    throw error;
  return { done: [], streams: [], parked: { stream, message } };
}

/** The activity's result; tells the connection when it is long in coming. */
async function watched(run: RunInput, work: Promise<SlicesProgress>): Promise<SlicesProgress> {
  let isBack = false;
  const back = work.finally(() => (isBack = true));
  const summary = 'the connection is told when nothing comes';
  const watch = condition(() => isBack, STALLED_MS, { summary }).then(async (isInTime) => {
    if (!isInTime) await report(run, { isStalled: true, streams: [] });
  });
  // The activity's failure is the one that counts.
  const [result] = await Promise.allSettled([back, watch]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** Tells the connection how far it is; without one (started alone) nobody needs to know. */
async function report(
  { kind, job }: RunInput,
  progress: Pick<ProgressReport, 'isStalled' | 'streams'>,
): Promise<void> {
  const { parent } = workflowInfo();
  if (parent === undefined) return;
  try {
    await getExternalWorkflowHandle(parent.workflowId).signal(progressSignal, {
      ...progress,
      ...{ kind, job },
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('progress could not be reported');
  }
}
