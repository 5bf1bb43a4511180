import { run } from './processes.js';

const VERSION_TIMEOUT_MS = 30_000;

/** Its version as it tells it; throws when it is no Temporal command line that runs here. */
export async function temporalVersion(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const result = await run(path, ['--version'], { env, timeoutMs: VERSION_TIMEOUT_MS });
  const version = /^temporal version v?(\d+\.\d+\.\d+)/m.exec(result.stdout)?.[1];
  if (version === undefined) throw new Error(`${path} is not the Temporal command line`);
  return version;
}
