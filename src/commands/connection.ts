import {
  isGrpcServiceError,
  QueryRejectedError,
  WorkflowIdConflictPolicy,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import {
  connectionWorkflowId,
  SIGNALS,
  STATUS_QUERY,
  TASK_QUEUE,
  WORKFLOW_TYPES,
  type ConnectionInput,
  type StatusAnswer,
} from '../contract.js';
import { ClosehaulError } from '../errors.js';
import { checkOptions, type ConnectionOptions } from './connection-options.js';

/** Starts the workflow of a connection, or finds the one that runs. */
export async function startConnection(
  client: Client,
  options: ConnectionOptions,
): Promise<{ handle: WorkflowHandle; isNew: boolean }> {
  const { schema } = checkOptions(options);
  const workflowId = connectionWorkflowId(schema);
  const isNew = !(await isRunning(client, workflowId));
  const { name, startDate, every, anchor, streams, layout } = options;
  const input: ConnectionInput = {
    name,
    ...(startDate !== undefined && { startDate }),
    ...(every !== undefined && { every }),
    ...(anchor !== undefined && { anchor }),
    ...(streams !== undefined && { streams }),
    ...(layout !== undefined && { layout }),
  };
  const handle = await client.workflow.start(WORKFLOW_TYPES.connection, {
    taskQueue: TASK_QUEUE,
    workflowId,
    args: [input],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    staticSummary: `Close → PostgreSQL: ${name}`,
    memo: { connection: name, schema },
  });
  return { handle, isNew };
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** The running workflow of the connection called so. Throws the name's errors. */
export function handleOf(client: Client, name: string): WorkflowHandle {
  return client.workflow.getHandle(connectionWorkflowId(checkOptions({ name }).schema));
}

/** A query first goes to the worker that had the workflow last; if it was killed, that takes 10 s. */
const QUERY_TIMEOUT_MS = 30_000;

/** Throws CONNECTION_NOT_RUNNING, WORKER_ABSENT. */
export async function readStatus(client: Client, name: string): Promise<StatusAnswer> {
  const handle = handleOf(client, name);
  try {
    return await client.connection.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
      handle.query<StatusAnswer>(STATUS_QUERY),
    );
  } catch (error) {
    throw asConnectionError(error, handle.workflowId);
  }
}

/** gRPC's code for an answer that did not come in time. */
const DEADLINE = 4;

export async function signal(
  client: Client,
  name: string,
  signalName: keyof typeof SIGNALS,
  ...args: readonly unknown[]
): Promise<void> {
  const handle = handleOf(client, name);
  try {
    await handle.signal(SIGNALS[signalName], ...args);
  } catch (error) {
    throw asConnectionError(error, handle.workflowId);
  }
}

export function asConnectionError(error: unknown, workflow: string): unknown {
  if (error instanceof WorkflowNotFoundError || error instanceof QueryRejectedError) {
    return new ClosehaulError('CONNECTION_NOT_RUNNING', { workflow }, { cause: error });
  }
  if (
    error instanceof Error &&
    isGrpcServiceError(error.cause) &&
    Number(error.cause.code) === DEADLINE
  ) {
    return new ClosehaulError('WORKER_ABSENT', { workflow }, { cause: error });
  }
  return error;
}

/**
 * What the connection's syncs are being tried again for, when they are: the last failure of the
 * activities that wait for their next attempt. Null when all goes well.
 */
export async function retriedFailure(client: Client, workflowId: string): Promise<string | null> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const ids = [workflowId, ...(raw.pendingChildren ?? []).map((child) => child.workflowId ?? '')];
  for (const id of ids) {
    const execution = await client.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
    const failing = execution?.raw.pendingActivities?.find(
      ({ lastFailure }) => lastFailure?.message,
    );
    if (failing !== undefined) {
      return `attempt ${failing.attempt ?? 1}: ${failing.lastFailure?.message ?? ''}`;
    }
  }
  return null;
}
