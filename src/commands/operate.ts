import { WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import Table from 'cli-table3';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.js';
import {
  REQUEST_BACKFILL_UPDATE,
  REQUEST_REBUILD_UPDATE,
  type BackfillAnswer,
  type BackfillInput,
  type RebuildAnswer,
  type StatusAnswer,
} from '../contract.js';
import { rebuildSchema } from '../core/naming.js';
import { number } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import { withClient } from './client.js';
import { asConnectionError, handleOf, readStatus, signal, startConnection } from './connection.js';
import { checkOptions, type ConnectionOptions } from './connection-options.js';
import { answer, type Output } from './output.js';

export async function create(
  config: Config,
  options: ConnectionOptions,
  output: Output,
): Promise<void> {
  await withClient(config, async (client) => {
    const { handle, isNew } = await startConnection(client, options);
    const said = isNew ? 'Started' : 'Already running:';
    answer(
      output,
      { workflowId: handle.workflowId, isNew },
      `${said} workflow ${handle.workflowId}`,
    );
  });
}

export async function status(
  config: Config,
  name: string | undefined,
  watch: boolean,
  output: Output,
): Promise<void> {
  await withClient(config, async (client) => {
    do {
      if (name === undefined) await statusOfAll(client, await connectionNames(config), output);
      else {
        const one = await readStatus(client, name);
        answer(output, one, statusText(one));
      }
      if (watch) await delay(2_000);
    } while (watch);
  });
}

/** A connection of which nobody can say how it stands is no reason to be silent of the others. */
async function statusOfAll(
  client: Client,
  names: readonly string[],
  output: Output,
): Promise<void> {
  const all = await Promise.all(
    names.map((name) =>
      readStatus(client, name).catch((error: unknown): UnknownStatus => {
        if (!(error instanceof ClosehaulError)) throw error;
        return { name, status: null, problem: `${error.message} ${error.next}` };
      }),
    ),
  );
  const texts = all.map((one) =>
    one.status === null ? `${one.name}: ${one.problem}` : statusText(one),
  );
  answer(output, all, texts.join('\n\n') || 'No connection yet.');
}

interface UnknownStatus extends Pick<StatusAnswer, 'name'> {
  readonly status: null;
  readonly problem: string;
}

/** Only without a name is the database asked, and its library loaded. */
async function connectionNames(config: Config): Promise<readonly string[]> {
  const { withPool } = await import('./database.js');
  const { listConnections } = await import('../postgres/report.js');
  return withPool(config, async (pool) => (await listConnections(pool)).map(({ name }) => name));
}

function statusText(status: StatusAnswer): string {
  const lines = [`${status.name} (schema ${status.schema}): ${status.status}`];
  if (status.problem !== null) lines.push(`  ${status.problem}`);
  const next = status.nextSyncAt === null ? '' : `, next sync ${status.nextSyncAt.slice(0, 19)}Z`;
  lines.push(`  every ${status.every}${next}`);
  const table = new Table({
    head: ['stream', 'status', 'rows', 'complete up to', 'problem'],
    colAligns: ['left', 'left', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, status: state, rows, bookmark, error } of status.streams) {
    table.push([name, state, number(rows), bookmark ?? '', error ?? '']);
  }
  lines.push(table.toString());
  for (const job of status.backfills) {
    const range = `${job.from.slice(0, 10)} to ${job.to?.slice(0, 10) ?? 'now'}`;
    lines.push(`  backfill ${job.id} (${range}): ${job.status}, ${number(job.records)} records`);
  }
  if (status.rebuild !== null) {
    const { layout, status: state, records, problem } = status.rebuild;
    lines.push(`  rebuild to layout ${layout}: ${state}, ${number(records)} records`);
    if (problem !== null) lines.push(`    ${problem}`);
  }
  if (status.reconcile !== null) {
    const { id, status: state, streams, problem } = status.reconcile;
    const found = streams.map(({ missing, outdated, vanished }) => missing + outdated + vanished);
    const sum = (counts: readonly number[]): string => number(counts.reduce((a, b) => a + b, 0));
    const left = sum(streams.map(({ unresolved }) => unresolved));
    lines.push(`  reconciliation ${id}: ${state}, ${sum(found)} differences found, ${left} left`);
    if (problem !== null) lines.push(`    ${problem}`);
  }
  for (const { request, reason, at } of status.rejectedRequests) {
    lines.push(`  rejected ${request} at ${at.slice(0, 19)}Z: ${reason}`);
  }
  return lines.join('\n');
}

export async function backfill(
  config: Config,
  name: string,
  request: Exclude<BackfillInput, string>,
  output: Output,
): Promise<void> {
  await withClient(config, async (client) => {
    const job = await ask<BackfillAnswer>(client, name, REQUEST_BACKFILL_UPDATE, request);
    const queued = job.queuedBehind === 0 ? 'starts now' : `waits behind ${job.queuedBehind}`;
    const behind = job.status === 'queued' ? queued : `is ${job.status}`;
    answer(output, job, `Backfill ${job.jobId} from ${request.from}: ${behind}`);
  });
}

export async function rebuild(
  config: Config,
  name: string,
  layout: string | undefined,
  output: Output,
): Promise<void> {
  const { schema } = checkOptions({ name, layout });
  await withClient(config, async (client) => {
    const request = layout === undefined ? {} : { layout };
    const asked = await ask<RebuildAnswer>(client, name, REQUEST_REBUILD_UPDATE, request);
    const lines = [
      `Rebuild of "${name}": ${asked.status}.`,
      `The new tables are filled in schema ${rebuildSchema(schema)}. Until they are complete, those in ${schema} stay`,
      'in use and are replicated; then the new ones take their place, with grants and views.',
      'What Close does not return any more, such as older versions, is not in the new ones.',
      `Watch it: npx closehaul status '${name}' --watch`,
    ];
    answer(output, asked, lines.join('\n'));
  });
}

const UPDATE_TIMEOUT_MS = 30_000;

/** Asks a connection by an update, which answers. Throws USAGE with the reason of a refusal. */
export async function ask<Answer>(
  client: Client,
  name: string,
  update: string,
  request: object,
): Promise<Answer> {
  const handle = handleOf(client, name);
  try {
    return await client.connection.withDeadline(Date.now() + UPDATE_TIMEOUT_MS, () =>
      handle.executeUpdate<Answer, [object]>(update, { args: [request] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause !== undefined) {
      throw new ClosehaulError('USAGE', { detail: error.cause.message });
    }
    throw asConnectionError(error, handle.workflowId);
  }
}

export async function tell(
  config: Config,
  name: string,
  signalName: 'pause' | 'resume' | 'syncNow' | 'set',
  args: readonly unknown[],
  output: Output,
): Promise<void> {
  await withClient(config, async (client) => {
    const before = signalName === 'set' ? await readStatus(client, name) : null;
    await signal(client, name, signalName, ...args);
    if (before === null) return;
    // A signal has no answer; what could not be done stands in the status.
    const { rejectedRequests } = await readStatus(client, name);
    const rejected = rejectedRequests.at(-1);
    if (rejected !== undefined && rejected.at !== before.rejectedRequests.at(-1)?.at) {
      throw new ClosehaulError('USAGE', { detail: rejected.reason });
    }
  });
  answer(output, { signal: signalName, name }, `Signalled ${signalName} to "${name}".`);
}
