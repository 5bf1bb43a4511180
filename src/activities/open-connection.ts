import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { OpenInput, OpenResult } from '../contract.js';
import { checkConnection } from '../core/connection-request.js';
import { selectStreams, type StreamSelection } from '../core/stream-selection.js';
import { ClosehaulError } from '../errors.js';
import {
  openConnection as open,
  readConnection,
  registerStreams,
} from '../postgres/connections.js';
import { readRebuildLayout } from '../postgres/rebuild.js';
import type { ActivityDeps } from './deps.js';

/**
 * Opens a connection: proves the key, makes the schema, claims it for this workflow, and fixes where
 * the history lane ends and the live lane begins, before the first page is read.
 */
export async function openConnection(input: OpenInput, deps: ActivityDeps): Promise<OpenResult> {
  const { pool } = deps;
  const { cancellationSignal, info } = Context.current();
  const now = deps.now();
  const checked = checkConnection(
    {
      name: input.name,
      startDate: input.startDate ?? undefined,
      layout: input.layout ?? undefined,
    },
    now,
  );
  if ('problem' in checked) throw new ClosehaulError(checked.problem);
  const { schema, name, layout } = checked.connection;
  // Without a date of its own, a connection that is opened again keeps the first one's.
  const known = input.startDate === null ? await readConnection(pool, schema) : undefined;
  const startDate = known?.startDate ?? checked.connection.startDate;
  const { streams, leftOut } = chooseStreams(input.streams, deps);

  const identity = await deps.sourceOf(schema).identify(cancellationSignal);
  const stored = await open(pool, {
    ...{ schema, name, layout, startDate, liveFrom: now },
    organizationId: identity.organizationId,
    workflowId: info.workflowExecution?.workflowId ?? '',
    isOwnerRunning: isWorkflowRunning,
  });
  const chosen = deps.streams.filter((stream) => streams.includes(stream.name));
  await registerStreams(pool, schema, chosen, stored.liveFrom, leftOut);
  return {
    schema,
    layout: stored.layout,
    rebuildLayout: (await readRebuildLayout(pool, schema)) ?? null,
    startDate,
    liveFrom: stored.liveFrom,
    streams,
    knownStreams: deps.streams.map(({ name: known }) => known),
  };
}

/** False also for a workflow that Temporal does not know: its database was lost, ours was not. */
async function isWorkflowRunning(workflowId: string): Promise<boolean> {
  try {
    const { status } = await Context.current().client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

function chooseStreams(
  wanted: readonly string[] | null,
  deps: Pick<ActivityDeps, 'streams'>,
): StreamSelection {
  const known = deps.streams.map(({ name }) => name);
  const selection = selectStreams(wanted, known);
  if ('unknown' in selection) {
    throw new ClosehaulError('STREAM_UNKNOWN', {
      stream: selection.unknown.replace(/[^\w.-]/g, '').slice(0, 40),
      known: known.join(', '),
    });
  }
  return selection;
}
