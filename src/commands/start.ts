import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type pg from 'pg';
import { createCloseClient } from '../close/client.js';
import { createMemoryBudget } from '../close/memory-budget.js';
import { createCloseSource } from '../close/source.js';
import type { Config } from '../config.js';
import { Secret } from '../config.js';
import type { StatusAnswer } from '../contract.js';
import { ClosehaulError } from '../errors.js';
import { openHome, type Home } from '../local/home.js';
import { createLog, installRuntime } from '../log.js';
import { createPool } from '../postgres/pool.js';
import { readProgress } from '../postgres/report.js';
import { VERSION } from '../version.js';
import { startWorker } from '../worker.js';
import { connectClient } from './client.js';
import {
  checkOptions,
  readStatus,
  retriedFailure,
  signal,
  startConnection,
  type ConnectionOptions,
} from './connection.js';
import { number, progressLine } from './progress.js';
import { finalReport } from './report.js';
import { createScreen, type Screen } from './screen.js';
import {
  databasePart,
  sandboxPart,
  SANDBOX_KEY,
  stopParts,
  temporalPart,
  type DatabasePart,
  type Part,
  type TemporalPart,
} from './stack.js';

export interface StartOptions extends ConnectionOptions {
  /** Ends when the first historical sync and one incremental sync are complete. */
  readonly once: boolean;
}

/** All that runs while `start` runs. */
interface Running {
  readonly schema: string;
  readonly client: Client;
  readonly pool: pg.Pool;
  readonly handle: WorkflowHandle;
  /** How many incremental syncs must have ended until the first look is complete. */
  readonly syncsWanted: number;
  readonly database: DatabasePart;
  readonly temporal: TemporalPart;
  readonly workerEnded: Promise<never>;
}

/**
 * The main job: brings up what is missing, starts the connection, shows its progress, tells where
 * everything is, and stays until `stopped` aborts. Whatever it started it stops, in reverse.
 */
export async function start(
  config: Config,
  options: StartOptions,
  stopped: AbortSignal,
): Promise<void> {
  const screen = createScreen(process.stdout);
  const { schema, name } = checkOptions(options);
  const home = openHome(config.home);
  const parts: Part[] = [];
  const startedMs = Date.now();
  try {
    screen.say(`Closehaul ${VERSION}: Close → PostgreSQL, connection "${name}" (schema ${schema})`);
    const running = await bringUp(config, options, { home, parts, screen, schema });
    stopped.throwIfAborted();
    const outcome = await watchFirstSyncs(running, options, screen, stopped, startedMs);
    await finalReport(running, options, screen);
    if (options.once) {
      if (outcome.problem !== null || outcome.status === 'Incomplete') {
        throw new ClosehaulError('SYNC_INCOMPLETE', { problem: outcome.problem ?? outcome.status });
      }
      return;
    }
    screen.say(`Replicating every ${outcome.every}; Ctrl-C stops, the next start goes on here.`);
    await watchSyncs(running, options, screen, stopped);
  } catch (error) {
    if (!stopped.aborted) throw error;
  } finally {
    screen.settle();
    if (parts.length > 0)
      screen.say(stopped.aborted ? 'Stopping: the page in hand is finished first.' : 'Stopping.');
    await stopParts(parts, screen.say);
    home.release();
    screen.close();
  }
}

interface BringUp {
  readonly home: Home;
  readonly parts: Part[];
  readonly screen: Screen;
  readonly schema: string;
}

async function bringUp(
  config: Config,
  options: StartOptions,
  { home, parts, screen, schema }: BringUp,
): Promise<Running> {
  const say = screen.say;
  // What a worker tells a log file is told here by the progress line; trouble is told as it comes.
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel, say);
  const isSandbox = !config.hasKey;
  const closeUrl = isSandbox ? await sandboxPart(home, parts) : config.closeUrl;
  const source = { ...config, closeUrl, ...(isSandbox && { keyOf: sandboxKey }) };
  if (isSandbox) {
    say('Close       SANDBOX: made-up data, since CLOSE_API_KEY is not set');
  } else {
    await checkKey(source, schema);
    say(`Close       ${new URL(closeUrl).host}`);
  }
  const database = await databasePart(config, home, parts, say);
  say(`PostgreSQL  ${describeUrl(database.url)}${database.isEmbedded ? ' (embedded)' : ''}`);
  const temporal = await temporalPart(config, home, parts, say);
  const ui = temporal.uiUrl === null ? '' : `, Web UI ${temporal.uiUrl}`;
  say(`Temporal    ${temporal.address}${temporal.isEmbedded ? ' (embedded)' : ''}${ui}`);

  installRuntime(log, config.metricsAddress);
  const worker = await startWorker({
    config: { ...source, temporal: temporal.connect },
    databaseUrl: database.url,
    log,
  });
  parts.push({ name: 'worker', stop: () => worker.stop() });
  const pool = createPool({ url: database.url, sizeMax: 2, applicationName: 'closehaul start' });
  const client = await connectClient(temporal.connect);
  parts.push({
    name: 'clients',
    async stop() {
      await pool.end();
      await client.connection.close();
    },
  });
  const { handle, syncsWanted } = await resumeOrStart(client, options, say);
  const workerEnded = worker.finished.then(() => new Promise<never>(() => undefined));
  return { schema, client, pool, handle, syncsWanted, database, temporal, workerEnded };
}

function sandboxKey(): ReturnType<Config['keyOf']> {
  return { key: new Secret(SANDBOX_KEY), variable: 'CLOSE_API_KEY' };
}

/** A key that Close refuses is told now, before anything is started for it. */
async function checkKey(config: Pick<Config, 'keyOf' | 'closeUrl'>, schema: string): Promise<void> {
  const { key, variable } = config.keyOf(schema);
  if (key === undefined) throw new ClosehaulError('KEY_MISSING', { connection: schema, variable });
  const client = createCloseClient({
    ...{ connection: schema, keyVariable: variable, apiKey: key.reveal(), version: VERSION },
    ...{ baseUrl: config.closeUrl, budget: createMemoryBudget({ now: Date.now }) },
  });
  try {
    await createCloseSource({ client, warn: () => undefined }).identify(
      AbortSignal.timeout(15_000),
    );
  } catch (error) {
    // Close being away is no reason not to start: the sync waits for it.
    if (error instanceof ClosehaulError && error.recovery === 'stop-connection') throw error;
  } finally {
    client.close();
  }
}

async function resumeOrStart(
  client: Client,
  options: StartOptions,
  say: Screen['say'],
): Promise<{ handle: WorkflowHandle; syncsWanted: number }> {
  const { handle, isNew } = await startConnection(client, options);
  if (isNew) return { handle, syncsWanted: 1 };
  const before = await readStatus(client, options.name);
  say(`Resuming workflow ${handle.workflowId}: ${before.status}`);
  if (before.status === 'Blocked') await signal(client, options.name, 'resume');
  const { every, anchor, streams } = options;
  if (every !== undefined && every !== before.every) {
    await signal(client, options.name, 'set', { every });
  }
  if (anchor !== undefined) await signal(client, options.name, 'set', { anchor });
  if (streams !== undefined) await signal(client, options.name, 'set', { streams });
  // What changed while nothing ran here is wanted now, not at the next slot.
  await signal(client, options.name, 'syncNow');
  return { handle, syncsWanted: before.syncsCompleted + 1 };
}

const LOOK_EVERY_MS = 1_000;
const SPEED_OVER_MS = 5_000;
const LOOKS_BEFORE_GIVING_UP = 5;

/** Shows the historical sync until it and one incremental sync have ended. */
async function watchFirstSyncs(
  running: Running,
  options: StartOptions,
  screen: Screen,
  stopped: AbortSignal,
  startedMs: number,
): Promise<StatusAnswer> {
  const readings: { atMs: number; records: number }[] = [];
  let hasRows: boolean | null = null;
  for (;;) {
    const status = await look(running, options);
    const progress = await readProgress(running.pool, running.schema, 'initial');
    const records = progress.reduce((sum, stream) => sum + stream.records, 0);
    const atMs = Date.now();
    readings.push({ atMs, records });
    while ((readings[0]?.atMs ?? atMs) < atMs - SPEED_OVER_MS) readings.shift();
    // What an earlier start loaded is not news.
    hasRows ??= records > 0;
    if (!hasRows && records > 0) {
      hasRows = true;
      screen.say(`First rows after ${seconds(atMs - startedMs)}.`);
    }
    const isDone = status.historicalSync === 'done' || status.historicalSync === 'incomplete';
    if (isDone && status.syncsCompleted >= running.syncsWanted) {
      screen.settle();
      const what = status.historicalSync === 'done' ? 'complete' : 'incomplete';
      screen.say(`Historical and incremental sync ${what} after ${seconds(atMs - startedMs)}.`);
      return status;
    }
    if (options.once) refuseToWait(status, readings.length);
    const speed = speedOf(readings);
    const line = isDone ? 'incremental sync' : progressLine(progress, speed).text;
    const problem =
      status.problem ?? (await retriedFailure(running.client, running.handle.workflowId));
    screen.show(`${status.status}: ${problem ?? line}`);
    await delay(LOOK_EVERY_MS, undefined, { signal: stopped });
  }
}

/** What waits for an operator would keep `--once` for ever; a moment is left for a resume to work. */
function refuseToWait({ status, problem }: StatusAnswer, looks: number): void {
  if (looks < LOOKS_BEFORE_GIVING_UP || (status !== 'Paused' && status !== 'Blocked')) return;
  throw new ClosehaulError('CONNECTION_WAITS', { status, problem: problem ?? 'resume it first' });
}

function speedOf(readings: readonly { atMs: number; records: number }[]): number {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
  return Math.max(0, last.records - first.records) / ((last.atMs - first.atMs) / 1000);
}

/** The connection's status; throws when its workflow, or our worker, has ended. */
async function look(running: Running, options: StartOptions): Promise<StatusAnswer> {
  const status = readStatus(running.client, options.name);
  status.catch(() => undefined);
  const answer = await Promise.race([status, running.workerEnded]);
  const { status: execution } = await running.handle.describe();
  if (execution.name === 'RUNNING' || execution.name === 'CONTINUED_AS_NEW') return answer;
  const problem = await running.handle.result().then(
    () => 'it has completed',
    (error: unknown) => deepestMessage(error),
  );
  throw new ClosehaulError('CONNECTION_ENDED', { problem });
}

/** The failure that our own code made, inside those that Temporal wrapped around it. */
function deepestMessage(error: unknown): string {
  let message = 'unknown';
  for (let cause = error; cause instanceof Error; cause = cause.cause) message = cause.message;
  return message;
}

/** After the first syncs: one line for each sync that ends. */
async function watchSyncs(
  running: Running,
  options: StartOptions,
  screen: Screen,
  stopped: AbortSignal,
): Promise<void> {
  let seen = (await look(running, options)).lastSync?.finishedAt;
  for (;;) {
    await delay(LOOK_EVERY_MS, undefined, { signal: stopped });
    const status = await look(running, options);
    const next =
      status.nextSyncAt === null ? '' : `, next sync ${status.nextSyncAt.slice(11, 19)} UTC`;
    screen.show(`${status.status}${status.problem === null ? next : `: ${status.problem}`}`);
    const { lastSync } = status;
    if (lastSync === null || lastSync.finishedAt === seen) continue;
    seen = lastSync.finishedAt;
    const { kind, outcome, records, rows } = lastSync;
    screen.settle();
    screen.say(
      `${lastSync.finishedAt.slice(11, 19)} ${kind} sync ${outcome}: ${number(records)} records read, ${number(rows)} rows written`,
    );
  }
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** Host, port and database; never user and password. */
function describeUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
