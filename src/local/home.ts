/** The folder that holds the data of the embedded servers, and the lock that lets one run use it. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { identityOf, isAlive, type ProcessIdentity } from './processes.js';
import { identitySchema, readState } from './state-file.js';

export interface HomeFolder {
  readonly path: string;
}

export interface Home extends HomeFolder {
  /** Gives the folder free for another run; may be called more than once. */
  release(): void;
}

const TAKE_ATTEMPTS = 20;

/** Makes the folder when it is missing and locks it for this process. */
export function openHome(path: string): Home {
  const folder = makeFolder(resolve(path));
  const self = identityOf(process.pid) ?? { pid: process.pid, startTime: '' };
  takeLock(folder, self);
  return { path: folder, release: () => releaseLock(folder, self) };
}

/** Who holds the folder now; undefined when nobody does, or when the holder was killed. */
export function homeHolder(path: string): ProcessIdentity | undefined {
  const holder = readState(lockFile(resolve(path)), identitySchema);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

function lockFile(folder: string): string {
  return join(folder, 'lock.json');
}

function makeFolder(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const folder = realpathSync(path);
    const status = statSync(folder);
    if (!status.isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    // PostgreSQL refuses to run as root, so as root it runs as another user, who must be able to
    // pass through this folder to its own; all other files in here are readable by their owner only.
    const wanted = status.uid === 0 ? 0o711 : 0o700;
    if (status.uid === process.getuid?.() && (status.mode & 0o777) !== wanted) {
      chmodSync(folder, wanted);
    }
    return folder;
  } catch (error) {
    throw notWritable(path, error);
  }
}

/**
 * The lock appears complete or not at all: it is written under another name and then linked, and a
 * link never replaces an existing file.
 */
function takeLock(folder: string, self: ProcessIdentity): void {
  const lock = lockFile(folder);
  const own = `${lock}.${process.pid}.tmp`;
  try {
    writeFileSync(own, JSON.stringify(self), { mode: 0o600 });
    for (let attempt = 0; attempt < TAKE_ATTEMPTS; attempt += 1) {
      if (linkOrCopy(own, lock)) return;
      const holder = homeHolder(folder);
      if (holder !== undefined) throw inUse(folder, holder.pid);
      discardStale(lock);
    }
    throw inUse(folder, readState(lock, identitySchema)?.pid ?? 0);
  } catch (error) {
    throw error instanceof ClosehaulError ? error : notWritable(folder, error);
  } finally {
    rmSync(own, { force: true });
  }
}

function linkOrCopy(own: string, lock: string): boolean {
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
  }
  // Some shared and removable disks have no hard links.
  try {
    writeFileSync(lock, readFileSync(own), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Two runs may find the same dead holder at once. Renaming lets one of them win; should the winner
 * have moved away the fresh lock of the other, it puts that back.
 */
function discardStale(lock: string): void {
  const moved = `${lock}.${process.pid}.stale`;
  try {
    renameSync(lock, moved);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const holder = readState(moved, identitySchema);
  if (holder !== undefined && isAlive(holder)) linkOrCopy(moved, lock);
  rmSync(moved, { force: true });
}

function releaseLock(folder: string, self: ProcessIdentity): void {
  const holder = readState(lockFile(folder), identitySchema);
  if (holder?.pid === self.pid && holder.startTime === self.startTime) {
    rmSync(lockFile(folder), { force: true });
  }
}

function inUse(folder: string, pid: number): ClosehaulError {
  return new ClosehaulError('HOME_IN_USE', { folder, pid });
}

function notWritable(folder: string, cause: unknown): ClosehaulError {
  const { code } = cause as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    EACCES: 'this user may not write there',
    EPERM: 'this user may not write there',
    EROFS: 'the disk is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EEXIST: 'a file of that name stands in the way',
    ENOTDIR: 'a part of that path is a file, not a folder',
  };
  const reason = reasons[code ?? ''] ?? `it cannot be made or written (${code ?? 'unknown'})`;
  return new ClosehaulError('HOME_NOT_WRITABLE', { folder, reason }, { cause });
}
