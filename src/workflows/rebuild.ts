import { isCancellation, log } from '@temporalio/workflow';
import type { RunResult } from '../contract.js';
import type { ConnectionState } from './connection-state.js';
import { PARKED_RETRY_MS, quick, SWAP_RETRY_MS, swapping } from './options.js';
import { adoptTables, changeRebuild, keptFor, type RebuildState } from './rebuild-state.js';
import { failureOf, recoveryOf } from './sync-failure.js';

/** What a rebuild needs of the connection that it is for. */
export interface RebuildHost {
  readonly state: ConnectionState;
  canRead(): boolean;
  /** Runs the sync that fills the new tables, to its end or until it is stopped. */
  fill(): Promise<Ended>;
  /** Works while no incremental sync runs, and none begins; undefined when it may not just now. */
  withoutLive<T>(work: () => Promise<T>): Promise<T | undefined>;
  block(error: unknown): void;
  show(): void;
}

/** How a child ended; `stopped` is nobody's fault, and it goes on later where it was. */
export interface Ended {
  readonly outcome: 'complete' | 'incomplete' | 'stopped' | 'failed';
  readonly result: RunResult | null;
  readonly problem: string | null;
}

/** Takes a rebuild one step further: old tables away, new tables filled, or new ones for old. */
export async function workOnRebuild(host: RebuildHost): Promise<void> {
  const { rebuild } = host.state;
  if (rebuild === null) return;
  try {
    if (rebuild.hasOldTables) await dropOldTables(host);
    else if (rebuild.status === 'swapping') await swap(host);
    else await fill(host, rebuild);
  } catch (error) {
    if (isCancellation(error)) throw error;
    park(host, error);
  }
  host.show();
}

async function fill(host: RebuildHost, { layout }: RebuildState): Promise<void> {
  const { state } = host;
  const { schema } = state.connection;
  changeRebuild(state, { status: 'running', problem: null, retryAtMs: null });
  await quick.openRebuild({ schema, layout, streams: state.open?.streams ?? [] });
  // It may have been paused meanwhile.
  const { outcome, result, problem } = host.canRead() ? await host.fill() : STOPPED;
  if (outcome === 'stopped') changeRebuild(state, { status: 'queued' });
  else if (outcome === 'complete') changeRebuild(state, { status: 'swapping' });
  else {
    const stream = result?.streams.find(({ error, isComplete }) => error !== null || !isComplete);
    const reason = stream && `${stream.name}: ${stream.error ?? 'its history is not complete'}`;
    changeRebuild(state, {
      ...{ status: 'incomplete', problem: problem ?? reason ?? null },
      retryAtMs: Date.now() + PARKED_RETRY_MS,
    });
  }
}

const STOPPED: Ended = { outcome: 'stopped', result: null, problem: null };

async function swap(host: RebuildHost): Promise<void> {
  const { state } = host;
  const { schema } = state.connection;
  const done = await host.withoutLive(async () => swapping.swapRebuild(schema));
  if (done === undefined) return;
  adoptTables(state, done);
  log.info('tables rebuilt', { schema, left: done.left });
}

async function dropOldTables({ state }: RebuildHost): Promise<void> {
  const { schema } = state.connection;
  const readers = await swapping.dropReplaced(schema);
  changeRebuild(state, { hasOldTables: false, retryAtMs: null, ...keptFor(schema, readers) });
  log.info('old tables dropped', { schema, left: readers });
}

/** Says what is in the way, and when it is tried again. What was done so far stays. */
function park(host: RebuildHost, error: unknown): void {
  const { state } = host;
  const recovery = recoveryOf(error);
  const { message, type } = failureOf(error);
  log.warn('rebuild waits', { code: type });
  const isWaiting = state.rebuild?.status === 'running';
  if (recovery === 'stop-connection') {
    changeRebuild(state, isWaiting ? { status: 'queued' } : {});
    host.block(error);
    return;
  }
  // What locks a table ends by itself; anything else needs somebody to act.
  const waitMs = recovery === 'stop-command' ? PARKED_RETRY_MS : SWAP_RETRY_MS;
  changeRebuild(state, {
    ...(isWaiting && { status: 'incomplete' }),
    problem: message,
    retryAtMs: Date.now() + waitMs,
  });
}
