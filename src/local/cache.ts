/** A folder of programs that are fetched once and used by every home of this user. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';

const TEMPORARY_PREFIX = '.fetch-';
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/**
 * Fetches one program. It is made in a folder of its own and renamed into place when complete, so
 * that two runs at once do each other no harm and an interrupted one leaves nothing half-made.
 */
export async function fetchIntoCache(
  cacheFolder: string,
  fetch: (temporaryFolder: string) => Promise<{ readonly file: string; readonly name: string }>,
): Promise<string> {
  mkdirSync(cacheFolder, { recursive: true });
  removeAbandoned(cacheFolder);
  const temporary = mkdtempSync(join(cacheFolder, TEMPORARY_PREFIX));
  try {
    const { file, name } = await fetch(temporary);
    const target = join(cacheFolder, name);
    chmodSync(file, 0o755);
    renameSync(file, target);
    return target;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** What a killed run left behind; a young one may belong to a run that still works on it. */
function removeAbandoned(cacheFolder: string): void {
  for (const name of readdirSync(cacheFolder)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = join(cacheFolder, name);
    const modifiedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - modifiedMs > ABANDONED_AFTER_MS)
      rmSync(path, { recursive: true, force: true });
  }
}
