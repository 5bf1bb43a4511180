/** `postmaster.pid`: what a running PostgreSQL says about itself, one fact a line. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, processCommand, type ProcessIdentity } from './processes.js';

export interface Postmaster {
  readonly identity: ProcessIdentity;
  readonly port: number;
  readonly isReady: boolean;
}

/** The server that runs on this data folder now, if any. */
export function findPostmaster(dataFolder: string): Postmaster | undefined {
  const lines = readLines(dataFolder);
  const identity = identityOf(pidIn(lines));
  if (identity === undefined || !isOurs(identity.pid, dataFolder)) return undefined;
  return {
    identity,
    port: Number(lines[3] ?? 0),
    isReady: (lines[7] ?? '').startsWith('ready'),
  };
}

/**
 * After a crash the process id in the file may belong to a stranger by now; PostgreSQL would take
 * it for a running server and refuse to start. A file whose process is dead is left alone: the
 * server itself reads it to find out whether parts of the old one still live.
 */
export function discardStrangersFile(dataFolder: string): void {
  const pid = pidIn(readLines(dataFolder));
  if (identityOf(pid) === undefined || isOurs(pid, dataFolder)) return;
  rmSync(join(dataFolder, 'postmaster.pid'), { force: true });
}

function isOurs(pid: number, dataFolder: string): boolean {
  return processCommand(pid).includes(` -D ${dataFolder} `);
}

function readLines(dataFolder: string): string[] {
  try {
    return readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

function pidIn(lines: readonly string[]): number {
  const pid = Number.parseInt(lines[0] ?? '', 10);
  return Number.isInteger(pid) && pid > 0 ? pid : 0;
}
