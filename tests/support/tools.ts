/** The real programs that tests run against, fetched once and shared by all test files. */
import { existsSync, lstatSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTemporalCli } from '../../src/local/temporal-cli.js';

export function toolCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'closehaul');
}

/** The path of a Temporal command line that runs here. */
export async function temporalCliPath(): Promise<string> {
  const { path } = await resolveTemporalCli({
    cliPath: process.env['TEMPORAL_CLI_PATH'],
    cacheFolder: toolCacheFolder(),
    env: process.env,
  });
  return path;
}

/** A new folder for one test's embedded servers; end it with `removeHome`. */
export function temporaryHome(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'closehaul-test-')));
}

/** Removes a home and the data that a link in it points to. Its servers must be stopped. */
export function removeHome(path: string): void {
  const entry = join(path, 'postgres');
  if (existsSync(entry) && lstatSync(entry).isSymbolicLink()) {
    rmSync(realpathSync(entry), { recursive: true, force: true });
  }
  rmSync(path, { recursive: true, force: true });
}
