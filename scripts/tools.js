/**
 * Fetches the real command lines that the README and the tests use, `temporal` and `tctl`, and
 * prints where they are. `tctl` is built from its Go module, which takes about 80 seconds once.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildIfStale } from './build.js';

await buildIfStale();
const { resolveTemporalCli } = await import('../dist/local/temporal-cli.js');
const { ensureTctl } = await import('../dist/local/tctl.js');

const { env } = process;
const options = {
  env,
  cacheFolder: join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'closehaul'),
  onProgress: (line) => console.error(line),
};
try {
  const temporal = await resolveTemporalCli({ ...options, cliPath: env['TEMPORAL_CLI_PATH'] });
  console.log(`temporal  ${temporal.path}`);
  console.log(`tctl      ${await ensureTctl(options)}`);
} catch (error) {
  console.error(`${error.message}\n${error.next ?? ''}`);
  process.exitCode = 1;
}
