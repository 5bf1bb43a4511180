/** The Temporal dev server of our own: one process, one SQLite file, the Web UI included. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { z } from 'zod';
import { ClosehaulError } from '../errors.js';
import { reasonOf } from './commands.js';
import type { HomeFolder } from './home.js';
import { isPortFree, preferPort } from './ports.js';
import {
  isAlive,
  signal,
  spawnDetached,
  waitForExit,
  waitUntil,
  type ProcessIdentity,
} from './processes.js';
import { identitySchema, readState, writeState } from './state-file.js';

export interface TemporalOptions {
  readonly home: HomeFolder;
  readonly cliPath: string;
  /** 7233 when it is free, and then the same one next time, when absent. */
  readonly port?: number | undefined;
  /** 8233 when it is free, and then the same one next time, when absent. */
  readonly uiPort?: number | undefined;
  readonly namespace?: string | undefined;
  /** Given to `temporal server start-dev` as they are. */
  readonly extraArgs?: readonly string[] | undefined;
  readonly onLog?: ((line: string) => void) | undefined;
}

export interface LocalTemporal {
  readonly address: string;
  readonly uiUrl: string;
  readonly namespace: string;
  readonly pid: number;
  readonly logFile: string;
  /** True when it was running already, left behind by a run that was killed. */
  readonly attached: boolean;
  /** Ends it and waits until it is gone: until then its database file must not be touched. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const DEFAULT_PORT = 7233;
const DEFAULT_UI_PORT = 8233;
const DEFAULT_NAMESPACE = 'default';
/** A first start makes the database's tables; a slow disk needs its time. */
const READY_TIMEOUT_MS = 120_000;
/** A server that a killed run left behind serves at once, or is beyond help. */
const ATTACH_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 2_000;
const PORT_ATTEMPTS = 5;

const stateSchema = z.object({
  /** Null while none runs; the ports are kept for the next start. */
  process: identitySchema.nullable(),
  port: z.number().int(),
  uiPort: z.number().int(),
  namespace: z.string(),
  /** False until the server has served once with its database file. */
  isDatabaseComplete: z.boolean(),
});
type State = z.infer<typeof stateSchema>;

export async function startTemporal(options: TemporalOptions): Promise<LocalTemporal> {
  const left = readState(stateFile(options.home), stateSchema);
  const server = left?.process ?? undefined;
  if (left !== undefined && server !== undefined && isAlive(server)) {
    const state = { ...left, namespace: options.namespace ?? left.namespace };
    const samePorts =
      (options.port ?? left.port) === left.port && (options.uiPort ?? left.uiPort) === left.uiPort;
    if (samePorts && (await settles(state, server, ATTACH_TIMEOUT_MS)) && isAlive(server)) {
      writeState(stateFile(options.home), { ...state, isDatabaseComplete: true });
      return describe(options.home, state, server, true);
    }
    options.onLog?.('The Temporal server that was left running is of no use; it is replaced.');
    await stopServer(options.home, server);
  }
  return launch(options, left);
}

/** The server of this home when one runs; starts nothing. */
export function findTemporal(home: HomeFolder): LocalTemporal | undefined {
  const state = readState(stateFile(home), stateSchema);
  const server = state?.process ?? undefined;
  if (state === undefined || server === undefined || !isAlive(server)) return undefined;
  return describe(home, state, server, true);
}

/** Whether a Temporal server answers there and knows the namespace. */
export async function isTemporalServing(
  address: string,
  namespace = DEFAULT_NAMESPACE,
): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: PROBE_TIMEOUT_MS });
    const { workflowService } = connection;
    await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () =>
      workflowService.describeNamespace({ namespace }),
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

async function launch(options: TemporalOptions, left: State | undefined): Promise<LocalTemporal> {
  for (let attempt = 1; ; attempt += 1) {
    const state: State = {
      process: null,
      isDatabaseComplete: discardHalfMadeDatabase(options.home),
      port: await choosePort(options.port, left?.port ?? DEFAULT_PORT, 'Temporal'),
      uiPort: await choosePort(options.uiPort, left?.uiPort ?? DEFAULT_UI_PORT, 'the Web UI'),
      namespace: options.namespace ?? left?.namespace ?? DEFAULT_NAMESPACE,
    };
    const server = await spawnServer(options, state);
    if (await waitReady(options.home, state, server)) {
      const complete = { ...state, process: server, isDatabaseComplete: true };
      writeState(stateFile(options.home), complete);
      return describe(options.home, complete, server, false);
    }
    // Besides ours the server takes ports of its own choice, and somebody else may take any of them
    // between its look and its use, if only for a moment. One that is really broken fails each time.
    if (attempt >= PORT_ATTEMPTS) throw failed(options.home, 'it ended before it was ready');
  }
}

async function choosePort(
  wanted: number | undefined,
  preferred: number,
  server: string,
): Promise<number> {
  if (wanted === undefined) return preferPort(preferred);
  if (await isPortFree(wanted)) return wanted;
  throw new ClosehaulError('PORT_TAKEN', { port: wanted, server });
}

async function spawnServer(options: TemporalOptions, state: State): Promise<ProcessIdentity> {
  const { home } = options;
  const settings: Record<string, string> = {
    '--db-filename': databaseFile(home),
    '--ip': HOST,
    '--port': String(state.port),
    '--ui-port': String(state.uiPort),
    '--namespace': state.namespace,
    '--log-level': 'warn',
    // Otherwise the server asks the internet for news of itself.
    '--dynamic-config-value': 'frontend.enableServerVersionCheck=false',
  };
  const args = ['server', 'start-dev', ...Object.entries(settings).flat()];
  writeState(stateFile(home), state);
  try {
    const server = await spawnDetached({
      // The server would make its database readable by every user of the machine.
      command: '/bin/sh',
      args: [
        '-c',
        'umask 077 && exec "$0" "$@"',
        options.cliPath,
        ...args,
        ...(options.extraArgs ?? []),
      ],
      logFile: logFile(home),
      workingFolder: home.path,
      // Nothing of our environment: it holds keys, and settings of other Temporal servers.
      env: { PATH: '/usr/bin:/bin', HOME: home.path },
    });
    writeState(stateFile(home), { ...state, process: server });
    return server;
  } catch (error) {
    throw failed(home, reasonOf(error), error);
  }
}

/**
 * A first start that was killed leaves a database without its tables, which the server neither
 * mends nor accepts. One that never served holds nothing of worth. Answers whether a complete one
 * is there; of one that we have no record of we assume the best and never delete it.
 */
function discardHalfMadeDatabase(home: HomeFolder): boolean {
  const database = databaseFile(home);
  if (!existsSync(database)) return false;
  if (readState(stateFile(home), stateSchema)?.isDatabaseComplete !== false) return true;
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    rmSync(`${database}${suffix}`, { force: true });
  }
  return false;
}

/** False when the server ended before it was ready. */
async function waitReady(
  home: HomeFolder,
  state: State,
  server: ProcessIdentity,
): Promise<boolean> {
  if (!(await settles(state, server, READY_TIMEOUT_MS))) {
    await stopServer(home, server);
    throw failed(home, `it was not ready within ${READY_TIMEOUT_MS / 1000} s`);
  }
  return isAlive(server);
}

/** True as soon as it serves or has ended. */
async function settles(state: State, server: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  return waitUntil(async () => {
    if (!isAlive(server)) return true;
    // Asking for the port first keeps the gRPC client from backing off while nobody listens.
    if (await isPortFree(state.port)) return false;
    return isTemporalServing(addressOf(state), state.namespace);
  }, timeoutMs);
}

function describe(
  home: HomeFolder,
  state: State,
  server: ProcessIdentity,
  attached: boolean,
): LocalTemporal {
  return {
    address: addressOf(state),
    uiUrl: `http://${HOST}:${state.uiPort}`,
    namespace: state.namespace,
    pid: server.pid,
    logFile: logFile(home),
    attached,
    stop: () => stopServer(home, server),
  };
}

async function stopServer(home: HomeFolder, server: ProcessIdentity): Promise<void> {
  if (isAlive(server)) {
    signal(server.pid, 'SIGTERM');
    if (!(await waitForExit(server, STOP_TIMEOUT_MS))) {
      signal(server.pid, 'SIGKILL');
      await waitForExit(server, KILL_TIMEOUT_MS);
    }
  }
  const state = readState(stateFile(home), stateSchema);
  if (state?.process?.pid === server.pid) writeState(stateFile(home), { ...state, process: null });
}

function addressOf(state: State): string {
  return `${HOST}:${state.port}`;
}

function databaseFile(home: HomeFolder): string {
  return join(home.path, 'temporal.db');
}

function stateFile(home: HomeFolder): string {
  return join(home.path, 'temporal.json');
}

function logFile(home: HomeFolder): string {
  return join(home.path, 'temporal.log');
}

function failed(home: HomeFolder, reason: string, cause?: unknown): ClosehaulError {
  return new ClosehaulError('TEMPORAL_START_FAILED', { reason, log: logFile(home) }, { cause });
}
