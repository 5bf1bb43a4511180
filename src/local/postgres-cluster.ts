import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { reasonOf } from './commands.js';
import { SERVER_ENV, type PostgresBinaries } from './postgres-binaries.js';
import type { PostgresPlace } from './postgres-place.js';
import { run } from './processes.js';

const INITDB_TIMEOUT_MS = 300_000;
/** The first version whose UTF-8 rules come with PostgreSQL and not with the machine. */
const FIRST_WITH_BUILTIN_LOCALE = 17;

/**
 * Makes the cluster when there is none. It is made under another name and renamed when complete,
 * so that an interrupted first run is never taken for a cluster.
 */
export async function ensureCluster(
  place: PostgresPlace,
  binaries: PostgresBinaries,
): Promise<void> {
  const made = clusterVersion(place.dataFolder);
  if (made === binaries.majorVersion) return;
  if (made !== undefined) {
    throw failed(
      place,
      `its data was made by PostgreSQL ${made} and cannot be read by ${binaries.majorVersion}`,
    );
  }
  if (existsSync(place.dataFolder)) {
    throw failed(place, `${place.dataFolder} holds files, but no PostgreSQL cluster`);
  }
  rmSync(place.temporaryFolder, { recursive: true, force: true, maxRetries: 5 });
  writePassword(place);
  await initialise(place, binaries);
  renameSync(place.temporaryFolder, place.dataFolder);
  syncFolder(dirname(place.dataFolder));
}

export function readPassword(place: PostgresPlace): string {
  try {
    return readFileSync(place.passwordFile, 'utf8').trim();
  } catch (error) {
    throw failed(place, `its password file ${place.passwordFile} cannot be read`, error);
  }
}

export function failed(place: PostgresPlace, reason: string, cause?: unknown): ClosehaulError {
  return new ClosehaulError('POSTGRES_START_FAILED', { reason, log: place.logFile }, { cause });
}

function clusterVersion(dataFolder: string): number | undefined {
  try {
    return Number(readFileSync(join(dataFolder, 'PG_VERSION'), 'utf8').trim());
  } catch {
    return undefined;
  }
}

function writePassword(place: PostgresPlace): void {
  rmSync(place.passwordFile, { force: true });
  writeFileSync(place.passwordFile, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx' });
  if (place.account !== undefined) {
    chownSync(place.passwordFile, place.account.uid, place.account.gid);
  }
}

async function initialise(place: PostgresPlace, binaries: PostgresBinaries): Promise<void> {
  const locale =
    binaries.majorVersion >= FIRST_WITH_BUILTIN_LOCALE
      ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
      : ['--locale=C'];
  const options = [
    '--username=postgres',
    '--encoding=UTF8',
    ...locale,
    '--auth=scram-sha-256',
    `--pwfile=${place.passwordFile}`,
    '--pgdata',
    place.temporaryFolder,
  ];
  try {
    const result = await run(binaries.initdb, options, {
      env: SERVER_ENV,
      timeoutMs: INITDB_TIMEOUT_MS,
      workingFolder: '/',
      ...place.account,
    });
    if (result.exitCode !== 0) throw new Error(result.stderr);
  } catch (error) {
    throw failed(place, `its data folder could not be made (${reasonOf(error)})`, error);
  }
}

/** A rename is on the disk only when the folder around it is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
