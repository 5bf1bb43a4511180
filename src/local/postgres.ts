/** A real PostgreSQL of our own, started, found again and stopped. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { ClosehaulError } from '../errors.js';
import { reasonOf } from './commands.js';
import type { HomeFolder } from './home.js';
import { isPortFree, preferPort } from './ports.js';
import { findPostgresBinaries, SERVER_ENV, type PostgresBinaries } from './postgres-binaries.js';
import { ensureCluster, failed, readPassword } from './postgres-cluster.js';
import { existingPlace, preparePlace, type PostgresPlace } from './postgres-place.js';
import { discardStrangersFile, findPostmaster, type Postmaster } from './postmaster-file.js';
import {
  isAlive,
  signal,
  spawnDetached,
  waitForExit,
  waitUntil,
  type ProcessIdentity,
} from './processes.js';
import { readState, writeState } from './state-file.js';

export interface PostgresOptions {
  readonly home: HomeFolder;
  /** Any free port, and the same one next time, when absent. */
  readonly port?: number | undefined;
  readonly onLog?: ((line: string) => void) | undefined;
  /** Where PATH is looked up for a PostgreSQL of the system. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Found by itself when absent. */
  readonly binaries?: PostgresBinaries | undefined;
}

export interface LocalPostgres {
  /** Database `closehaul`; whoever starts the server creates it. */
  readonly url: string;
  /** Database `postgres`, which is always there. */
  readonly adminUrl: string;
  readonly port: number;
  readonly pid: number;
  readonly logFile: string;
  /** True when it was running already, left behind by a run that was killed. */
  readonly attached: boolean;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** Crash recovery after a long run replays the log since the last checkpoint. */
const READY_TIMEOUT_MS = 300_000;
const FAST_STOP_MS = 20_000;
const HARD_STOP_MS = 10_000;
/** A postmaster that was just killed leaves its helpers, and its zombie, for a moment. */
const OLD_SERVER_GOES_MS = 15_000;
const OLD_SERVER_POLL_MS = 200;
const PORT_ATTEMPTS = 5;
const LOG_TAIL_BYTES = 16_384;

const stateSchema = z.object({ port: z.number().int() });

export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const onLog = options.onLog ?? (() => {});
  const place = await preparePlace(options.home, onLog);
  const running = findPostmaster(place.dataFolder);
  if (running !== undefined) {
    const wrongPort = options.port !== undefined && options.port !== running.port;
    if (wrongPort) {
      onLog(`PostgreSQL moves from port ${running.port} to port ${options.port}.`);
      await stopServer(running.identity);
    } else {
      const attached = await attach(place, running);
      if (attached !== undefined) return attached;
    }
  }
  const binaries =
    options.binaries ??
    (await findPostgresBinaries({
      env: options.env ?? {},
      spareFolder: options.home.path,
      account: place.account,
    }));
  await ensureCluster(place, binaries);
  return launch(place, binaries, options.port);
}

/** The server of this home when one runs; starts nothing. */
export async function findPostgres(home: HomeFolder): Promise<LocalPostgres | undefined> {
  const place = existingPlace(home);
  if (place === undefined) return undefined;
  const running = findPostmaster(place.dataFolder);
  return running === undefined ? undefined : attach(place, running);
}

/** Undefined when it ended before it could be used. */
async function attach(
  place: PostgresPlace,
  running: Postmaster,
): Promise<LocalPostgres | undefined> {
  if (!(await waitReady(place, running.identity))) return undefined;
  // The port is the third thing a server writes about itself, so only a ready one surely has.
  const port = findPostmaster(place.dataFolder)?.port ?? running.port;
  return describe(place, running.identity, port, true);
}

async function launch(
  place: PostgresPlace,
  binaries: PostgresBinaries,
  wantedPort: number | undefined,
): Promise<LocalPostgres> {
  const deadline = Date.now() + OLD_SERVER_GOES_MS;
  let portFailures = 0;
  for (;;) {
    const port = await choosePort(place, wantedPort);
    discardStrangersFile(place.dataFolder);
    const logStart = logSize(place.logFile);
    const identity = await spawnServer(place, binaries, port);
    if (await waitReady(place, identity)) {
      writeState(place.stateFile, { port });
      return describe(place, identity, port, false);
    }
    const said = logSince(place.logFile, logStart);
    if (/could not bind|could not create any TCP/.test(said)) {
      portFailures += 1;
      if (wantedPort !== undefined) throw portTaken(wantedPort);
      if (portFailures < PORT_ATTEMPTS) continue;
    }
    const oldOneLives = /pre-existing shared memory|lock file .* already exists/.test(said);
    if (!oldOneLives || Date.now() > deadline) throw failed(place, reasonOf(said));
    await delay(OLD_SERVER_POLL_MS);
  }
}

async function choosePort(place: PostgresPlace, wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return preferPort(readState(place.stateFile, stateSchema)?.port);
  if (!(await isPortFree(wanted))) throw portTaken(wanted);
  return wanted;
}

function portTaken(port: number): ClosehaulError {
  return new ClosehaulError('PORT_TAKEN', { port, server: 'PostgreSQL' });
}

async function spawnServer(
  place: PostgresPlace,
  binaries: PostgresBinaries,
  port: number,
): Promise<ProcessIdentity> {
  const settings = {
    listen_addresses: '127.0.0.1',
    // No socket: its path may be too long for the system, and nobody needs it.
    unix_socket_directories: '',
    // An error's text may quote a value of a row. Errors reach the client; the log goes without.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  try {
    return await spawnDetached({
      command: binaries.postgres,
      args: ['-D', place.dataFolder, '-p', String(port), ...args],
      logFile: place.logFile,
      workingFolder: '/',
      env: SERVER_ENV,
      ...place.account,
    });
  } catch (error) {
    throw failed(place, reasonOf(error), error);
  }
}

/** False when the server ended before it was ready. */
async function waitReady(place: PostgresPlace, identity: ProcessIdentity): Promise<boolean> {
  const password = readPassword(place);
  const isSettled = async (): Promise<boolean> => {
    if (!isAlive(identity)) return true;
    const server = findPostmaster(place.dataFolder);
    if (server?.identity.pid !== identity.pid || !server.isReady) return false;
    return accepts(place, urlOf(password, server.port, 'postgres'));
  };
  if (!(await waitUntil(isSettled, READY_TIMEOUT_MS))) {
    await stopServer(identity);
    throw failed(place, `it was not ready within ${READY_TIMEOUT_MS / 1000} s`);
  }
  return isAlive(identity);
}

async function accepts(place: PostgresPlace, connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  // Without a listener an error after the handshake would end our process.
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code?.startsWith('28') !== true) return false;
    throw failed(place, `it refuses the password in ${place.passwordFile}`);
  } finally {
    await client.end().catch(() => {});
  }
}

function describe(
  place: PostgresPlace,
  identity: ProcessIdentity,
  port: number,
  attached: boolean,
): LocalPostgres {
  const password = readPassword(place);
  return {
    url: urlOf(password, port, 'closehaul'),
    adminUrl: urlOf(password, port, 'postgres'),
    port,
    pid: identity.pid,
    logFile: place.logFile,
    attached,
    stop: () => stopServer(identity),
  };
}

function urlOf(password: string, port: number, database: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
}

/**
 * SIGINT rolls open transactions back and ends cleanly; SIGQUIT ends at once and costs a recovery
 * at the next start. SIGKILL is never sent: it would leave the helpers running without a head.
 */
async function stopServer(identity: ProcessIdentity): Promise<void> {
  if (!isAlive(identity)) return;
  signal(identity.pid, 'SIGINT');
  if (await waitForExit(identity, FAST_STOP_MS)) return;
  signal(identity.pid, 'SIGQUIT');
  await waitForExit(identity, HARD_STOP_MS);
}

function logSize(path: string): number {
  return withFile(path, (file) => fstatSync(file).size) ?? 0;
}

function logSince(path: string, start: number): string {
  const text = withFile(path, (file) => {
    const size = fstatSync(file).size;
    const from = Math.max(size < start ? 0 : start, size - LOG_TAIL_BYTES);
    const buffer = Buffer.alloc(size - from);
    readSync(file, buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  });
  return text ?? '';
}

function withFile<Result>(path: string, use: (file: number) => Result): Result | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}
