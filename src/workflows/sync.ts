import {
  ApplicationFailure,
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
  type SyncInput,
} from '../contract.js';
import { schemaName } from '../core/naming.js';
import { ERRORS } from '../errors.js';
import { progressSignal } from './messages.js';
import { quick, sliceActivities } from './options.js';
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
  const { schema, problem } = schemaName(String(sync.name));
  if (problem !== undefined) {
    const { message, next } = ERRORS[problem];
    throw ApplicationFailure.nonRetryable(`${message} ${next}`, problem);
  }
  const kind = sync.kind ?? defaultKind;
  const info = workflowInfo();
  return {
    schema,
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
    const progress = await sliceActivities(summary).syncSlices(open);
    await report({ ...progress, job: run.job, stream });
    open = open.slice(progress.slicesDone);
  }
  return true;
}

/** Tells the connection how far it is; without one (started alone) nobody needs to know. */
async function report(progress: ProgressReport): Promise<void> {
  const { parent } = workflowInfo();
  if (parent === undefined || progress.pages === 0) return;
  try {
    await getExternalWorkflowHandle(parent.workflowId).signal(progressSignal, progress);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('progress could not be reported');
  }
}
