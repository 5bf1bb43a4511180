import type { Client, WorkflowHandle } from '@temporalio/client';
import type { Config } from '../config.js';
import { Secret } from '../config.js';
import { ClosehaulError } from '../errors.js';
import { openHome, type Home } from '../local/home.js';
import { createLog, installRuntime } from '../log.js';
import { createPool } from '../postgres/pool.js';
import { VERSION } from '../version.js';
import { startWorker } from '../worker.js';
import { connectClient } from './client.js';
import { readStatus, signal, startConnection } from './connection.js';
import { checkOptions, type ConnectionOptions } from './connection-options.js';
import { identifyKey } from './identify.js';
import { finalReport } from './report.js';
import { createScreen, type Screen } from './screen.js';
import {
  databasePart,
  sandboxPart,
  SANDBOX_KEY,
  stopParts,
  temporalPart,
  type Part,
} from './stack.js';
import { watchFirstSyncs, watchSyncs, type Running } from './watch.js';

export interface StartOptions extends ConnectionOptions {
  /** Ends when the first historical sync and one incremental sync are complete. */
  readonly once: boolean;
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
    const running = await bringUp(config, options, { home, parts, screen, schema, stopped });
    stopped.throwIfAborted();
    const outcome = await watchFirstSyncs(
      running,
      { once: options.once, startedMs },
      screen,
      stopped,
    );
    await finalReport(running, options, screen);
    if (options.once) {
      if (outcome.problem !== null || outcome.status === 'Incomplete') {
        throw new ClosehaulError('SYNC_INCOMPLETE', { problem: outcome.problem ?? outcome.status });
      }
      return;
    }
    screen.say(`Replicating every ${outcome.every}; Ctrl-C stops, the next start goes on here.`);
    await watchSyncs(running, screen, stopped);
  } catch (error) {
    if (!stopped.aborted) throw error;
    if (options.once) throw new ClosehaulError('SYNC_INCOMPLETE', { problem: 'it was stopped' });
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
  readonly stopped: AbortSignal;
}

async function bringUp(
  config: Config,
  options: StartOptions,
  { home, parts, screen, schema, stopped }: BringUp,
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
  stopped.throwIfAborted();
  const database = await databasePart(config, home, parts, say);
  say(`PostgreSQL  ${describeUrl(database.url)}${database.isEmbedded ? ' (embedded)' : ''}`);
  stopped.throwIfAborted();
  const temporal = await temporalPart(config, home, parts, say);
  stopped.throwIfAborted();
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
  return {
    name: options.name,
    schema,
    client,
    pool,
    handle,
    syncsWanted,
    database,
    temporal,
    workerEnded,
  };
}

function sandboxKey(): ReturnType<Config['keyOf']> {
  return { key: new Secret(SANDBOX_KEY), variable: 'CLOSE_API_KEY' };
}

/** A key that Close refuses is told now, before anything is started for it. */
async function checkKey(config: Pick<Config, 'keyOf' | 'closeUrl'>, schema: string): Promise<void> {
  try {
    await identifyKey(config, schema);
  } catch (error) {
    // Close being away is no reason not to start: the sync waits for it.
    if (error instanceof ClosehaulError && error.recovery !== 'retry') throw error;
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
  if (options.startDate !== undefined && before.startDate !== null) {
    say(
      `It began with ${before.startDate.slice(0, 10)}; "closehaul backfill" reads from another date.`,
    );
  }
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

/** Host, port and database; never user and password. */
function describeUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
