/** A connection's workflow, as a test talks to it. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  connectionWorkflowId,
  STATUS_QUERY,
  TASK_QUEUE,
  WORKFLOW_TYPES,
  type ConnectionInput,
  type StatusAnswer,
} from '../../src/contract.js';
import { until } from './stack.js';

/** The two that most tests are about; `streams: ['all']` for the whole of Close. */
const STREAMS = ['leads', 'activities'];

export async function startConnection(
  client: Client,
  input: ConnectionInput & { readonly workflowId?: string },
): Promise<WorkflowHandle> {
  const { workflowId, ...connection } = { streams: STREAMS, ...input };
  const schema = input.name.toLowerCase().replace(/\W/g, '_');
  return client.workflow.start(WORKFLOW_TYPES.connection, {
    taskQueue: TASK_QUEUE,
    workflowId: workflowId ?? connectionWorkflowId(schema),
    args: [connection],
  });
}

export function statusOf(handle: WorkflowHandle): Promise<StatusAnswer> {
  return handle.query<StatusAnswer>(STATUS_QUERY);
}

/** Waits until the status is as `isSo` says; a query that no worker answers yet counts as "not yet". */
export function untilStatus(
  handle: WorkflowHandle,
  what: string,
  isSo: (status: StatusAnswer) => boolean,
  timeoutMs = 60_000,
): Promise<StatusAnswer> {
  let last = 'no answer';
  return until(
    what,
    async () => {
      const status = await statusOf(handle).catch(() => undefined);
      if (status !== undefined) last = JSON.stringify(status);
      return status !== undefined && isSo(status) && status;
    },
    timeoutMs,
  ).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; last seen: ${last}`, { cause: error });
  });
}

/** The historical sync and one incremental sync are over, and nothing runs. */
export function isSettled(status: StatusAnswer): boolean {
  return status.status === 'Up to date' && status.syncsCompleted > 0;
}

/** The same, after one more incremental sync than there were in `before`. */
export function isSettledSince(
  before: Pick<StatusAnswer, 'syncsCompleted'>,
): (status: StatusAnswer) => boolean {
  return (status) => isSettled(status) && status.syncsCompleted > before.syncsCompleted;
}

/** Ends the workflow and waits for it and its children to be gone. */
export async function cancelConnection(client: Client, handle: WorkflowHandle): Promise<void> {
  await handle.cancel();
  await handle.result().catch(() => undefined);
  await untilNothingRuns(client);
}

export function untilNothingRuns(client: Client): Promise<true> {
  return until('no workflow runs any more', async () => {
    const { count } = await client.workflow.count('ExecutionStatus="Running"');
    return count === 0;
  });
}
