/**
 * Where the files of PostgreSQL lie, and which user owns them.
 *
 * PostgreSQL refuses to run as root, so under root the server gets another user. That user must be
 * able to reach its files. When a folder above the home is closed to it (root's own home, a folder
 * made by `mktemp -d`), the files go to a system folder and a link in the home points there.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import type { HomeFolder } from './home.js';
import { run } from './processes.js';

export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresPlace {
  readonly dataFolder: string;
  /** Half-made clusters; never used, always thrown away. */
  readonly temporaryFolder: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly stateFile: string;
  /** Undefined when the server runs as the user that we are. */
  readonly account: ServerAccount | undefined;
}

/** Its own account where a system PostgreSQL made one; `nobody` exists everywhere. */
const ACCOUNT_NAMES = ['postgres', '_postgres', 'nobody'];
const SYSTEM_FOLDER = '/var/lib/closehaul';
const PROBE_TIMEOUT_MS = 10_000;

/** The place as it is; undefined when no cluster was ever made in this home. */
export function existingPlace(home: HomeFolder): PostgresPlace | undefined {
  const entry = join(home.path, 'postgres');
  if (!existsSync(entry)) return undefined;
  const folder = realpathSync(entry);
  const { uid, gid } = statSync(folder);
  return placeOf(home, folder, isRoot() ? { uid, gid } : undefined);
}

/** The place, made when it is missing, and reachable for the server's user. */
export async function preparePlace(
  home: HomeFolder,
  onLog: (line: string) => void,
): Promise<PostgresPlace> {
  const existing = existingPlace(home);
  if (existing !== undefined) return adopt(home, existing);
  const entry = join(home.path, 'postgres');
  if (lstatSync(entry, { throwIfNoEntry: false }) !== undefined) {
    onLog(`The data that ${entry} points to is gone; a new, empty cluster is made.`);
    rmSync(entry);
  }
  mkdirSync(entry, { mode: 0o700 });
  if (!isRoot()) return placeOf(home, entry, undefined);
  const account = await findAccount();
  const folder = (await reaches(account, entry)) ? entry : moveOutside(entry);
  chmodSync(folder, 0o700);
  chownSync(folder, account.uid, account.gid);
  return placeOf(home, folder, account);
}

/** A folder of root's that every user can pass through. */
export function systemFolder(): string {
  mkdirSync(SYSTEM_FOLDER, { recursive: true });
  chmodSync(SYSTEM_FOLDER, 0o755);
  return SYSTEM_FOLDER;
}

async function adopt(home: HomeFolder, place: PostgresPlace): Promise<PostgresPlace> {
  if (place.account === undefined) return place;
  const folder = join(place.dataFolder, '..');
  if (place.account.uid === 0) {
    // An interrupted first run, before the folder was given away.
    const account = await findAccount();
    chownSync(folder, account.uid, account.gid);
    return adopt(home, { ...place, account });
  }
  if (await reaches(place.account, folder)) return place;
  throw new ClosehaulError('POSTGRES_START_FAILED', {
    reason: `user ${place.account.uid}, who owns its data, may not enter a folder above ${folder}`,
    log: place.logFile,
  });
}

function placeOf(
  home: HomeFolder,
  folder: string,
  account: ServerAccount | undefined,
): PostgresPlace {
  return {
    dataFolder: join(folder, 'data'),
    temporaryFolder: join(folder, 'data.tmp'),
    passwordFile: join(folder, 'password'),
    logFile: join(home.path, 'postgres.log'),
    stateFile: join(home.path, 'postgres.json'),
    account,
  };
}

function moveOutside(entry: string): string {
  rmdirSync(entry);
  const folder = mkdtempSync(join(systemFolder(), 'data-'));
  symlinkSync(folder, entry);
  return folder;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function findAccount(): Promise<ServerAccount> {
  for (const name of ACCOUNT_NAMES) {
    const uid = await askId('-u', name);
    const gid = await askId('-g', name);
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid };
  }
  throw new ClosehaulError('POSTGRES_BINARY_MISSING', {
    platform: `${process.platform}-${process.arch}`,
    reason: `it may not run as root, and there is no user ${ACCOUNT_NAMES.join(' or ')}`,
  });
}

async function askId(option: string, name: string): Promise<number | undefined> {
  const result = await run('id', [option, name], {
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  // macOS prints -2 for nobody, or the same number without a sign; a uid here is 32 bits, signed.
  return result.exitCode === 0 ? Number(result.stdout.trim()) | 0 : undefined;
}

/** Tried, not computed: access lists and security modules have a say besides the mode bits. */
async function reaches(account: ServerAccount, folder: string): Promise<boolean> {
  const result = await run('/bin/sh', ['-c', 'cd "$1/.."', 'sh', folder], {
    env: {},
    timeoutMs: PROBE_TIMEOUT_MS,
    workingFolder: '/',
    ...account,
  });
  return result.exitCode === 0;
}
