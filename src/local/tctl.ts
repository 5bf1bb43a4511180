/** The real `tctl`, Temporal's older command line, which operators' scripts still call. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { fetchIntoCache } from './cache.js';
import { findOnPath, reasonOf } from './commands.js';
import { goInstall } from './go-install.js';
import { run } from './processes.js';

/** The last release of the server whose module holds tctl and that `go install` accepts. */
const MODULE = 'go.temporal.io/server/cmd/tools/cli@v1.13.0';
const BUILT_NAME = 'cli';
const VERSION_TIMEOUT_MS = 20_000;

export interface TctlOptions {
  readonly cacheFolder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export async function ensureTctl(options: TctlOptions): Promise<string> {
  const tried: string[] = [];
  for (const path of [findOnPath('tctl', options.env), join(options.cacheFolder, 'tctl')]) {
    if (path === undefined || !existsSync(path)) continue;
    const problem = await problemOf(path, options.env);
    if (problem === undefined) return path;
    tried.push(`- ${path}: ${problem}`);
  }
  try {
    options.onProgress?.('Building tctl with Go, once; this takes a minute or two.');
    return await build(options);
  } catch (error) {
    tried.push(`- go install ${MODULE}: ${reasonOf(error)}`);
    throw new ClosehaulError('TCTL_UNOBTAINABLE', { tried: tried.join('\n') }, { cause: error });
  }
}

async function build(options: TctlOptions): Promise<string> {
  return fetchIntoCache(options.cacheFolder, async (temporaryFolder) => {
    const folder = await goInstall({ module: MODULE, temporaryFolder, env: options.env });
    const file = join(folder, BUILT_NAME);
    const problem = await problemOf(file, options.env);
    if (problem !== undefined) throw new Error(problem);
    return { file, name: 'tctl' };
  });
}

async function problemOf(path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const result = await run(path, ['--version'], { env, timeoutMs: VERSION_TIMEOUT_MS });
    return /tctl version/.test(result.stdout) ? undefined : 'it does not say that it is tctl';
  } catch (error) {
    return reasonOf(error);
  }
}
