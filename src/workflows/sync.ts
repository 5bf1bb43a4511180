import {
  ApplicationFailure,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  workflowInfo,
} from '@temporalio/workflow';
import {
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
import { invalidInput } from './input.js';
import { progressSignal } from './messages.js';
import { quick, sliceActivities, STALLED_MS } from './options.js';
import { failureOf, recoveryOf } from './sync-failure.js';

/** A finite sync: plan it, sync its slices one after the other, close it. */
export async function historicalSync(input: SyncInput | string): Promise<RunResult> {
  return runSync(runInput(input, 'initial'));
}

/** One replication: what changed since the bookmarks. */
export async function incrementalSync(input: SyncInput | string): Promise<RunResult> {
  return runSync(runInput(input, 'incremental'));
}

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
    job: sync.job ?? (kind === 'incremental' ? 'live' : 'initial'),
    run: `${info.workflowId}/${info.runId}`,
    streams: sync.streams ?? null,
    from: sync.from ?? null,
    to: sync.to ?? null,
  };
}

async function runSync(run: RunInput): Promise<RunResult> {
  const { slices } = await quick.beginRun(run);
  const problems: Record<string, string> = {};
  for (const stream of new Set(slices.map((slice) => slice.stream))) {
    try {
      const isDone = await syncStream(
        run,
        stream,
        slices.filter((slice) => slice.stream === stream),
      );
      if (!isDone) return { outcome: 'yielded', records: 0, rows: 0, streams: [] };
    } catch (error) {
      // One stream's trouble is its own; a refused key or a cancellation is everybody's.
      if (isCancellation(error) || recoveryOf(error) === 'stop-connection') throw error;
      problems[stream] = failureOf(error).message;
      log.warn('stream parked', { stream, code: failureOf(error).type });
    }
  }
  return quick.endRun({ ...run, problems });
}

/** False when this history grew long enough: the checkpoints have the position, a new run goes on. */
async function syncStream(
  run: RunInput,
  stream: string,
  slices: readonly SliceRef[],
): Promise<boolean> {
  let open = slices;
  while (open.length > 0) {
    if (workflowInfo().continueAsNewSuggested) return false;
    const [next] = open;
    const summary = `${stream} ${next?.slice ?? ''}${open.length > 1 ? ` and ${open.length - 1} more` : ''}`;
    const progress = await watched(run, stream, sliceActivities(summary).syncSlices(open));
    open = open.slice(progress.slicesDone);
    // The result of an incremental sync follows at once; each report is four events in two histories.
    const isToldByResult = run.kind === 'incremental' && open.length === 0;
    if (progress.pages > 0 && !isToldByResult) {
      await report({ ...progress, isStalled: false, kind: run.kind, job: run.job, stream });
    }
  }
  return true;
}

/** The activity's result; tells the connection when it is long in coming. */
async function watched(
  run: RunInput,
  stream: string,
  work: Promise<SlicesProgress>,
): Promise<SlicesProgress> {
  let isBack = false;
  const back = work.finally(() => (isBack = true));
  const watch = condition(() => isBack, STALLED_MS).then(async (isInTime) => {
    if (isInTime) return;
    await report({ ...NOTHING, isStalled: true, kind: run.kind, job: run.job, stream });
  });
  // The activity's failure is the one that counts.
  const [result] = await Promise.allSettled([back, watch]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

const NOTHING = { isDone: false, pages: 0, records: 0, inserted: 0, rows: 0, rejected: 0 } as const;

/** Tells the connection how far it is; without one (started alone) nobody needs to know. */
async function report(progress: ProgressReport): Promise<void> {
  const { parent } = workflowInfo();
  if (parent === undefined) return;
  try {
    await getExternalWorkflowHandle(parent.workflowId).signal(progressSignal, progress);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('progress could not be reported');
  }
}
