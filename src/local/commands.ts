import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const LONGEST_REASON = 200;

/** Undefined when there is no file of that name on PATH that this user may run. */
export function findOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * One short line out of an error or of what a program printed: the last line that speaks of an
 * error, else the last line. Addresses are taken out, because a configured one may hold a password.
 */
export function reasonOf(problem: unknown): string {
  const text = problem instanceof Error ? messageOf(problem) : String(problem);
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const line = lines.findLast((candidate) => /error|fatal|panic/i.test(candidate)) ?? lines.at(-1);
  const safe = (line ?? 'it said nothing').replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, '<address>');
  return safe.length > LONGEST_REASON ? `${safe.slice(0, LONGEST_REASON)}…` : safe;
}

function messageOf(error: Error): string {
  const { code } = (error.cause ?? error) as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it is not there';
  if (code === 'EACCES') return 'this user may not use it';
  if (code === 'ENOSPC') return 'the disk is full';
  return error.message;
}
