/**
 * Fetches the real programs that the README and the tests use, and prints where they are. `tctl` is
 * built from its Go module, which takes about 80 seconds once.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildIfStale } from './build.js';

await buildIfStale();
const { resolveTemporalCli } = await import('../dist/local/temporal-cli.js');
const { ensureTctl } = await import('../dist/local/tctl.js');
const { ensureDbt } = await import('../dist/local/dbt.js');
const { ensureTapCloseio } = await import('../dist/local/tap-closeio.js');
const { ensureChromium } = await import('../dist/local/chromium.js');
const { ensureTestServer } = await import('../dist/local/test-server.js');

const { env } = process;
const options = {
  env,
  cacheFolder: join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'closehaul'),
  onProgress: (line) => console.error(line),
};
const tools = {
  temporal: async () =>
    (await resolveTemporalCli({ ...options, cliPath: env['TEMPORAL_CLI_PATH'] })).path,
  tctl: () => ensureTctl(options),
  dbt: () => ensureDbt(options),
  'tap-closeio': () => ensureTapCloseio(options),
  'time-skipping': () => ensureTestServer(options),
  chromium: () => ensureChromium(options),
};
for (const [name, find] of Object.entries(tools)) {
  try {
    console.log(`${name.padEnd(14)} ${await find()}`);
  } catch (error) {
    console.error(`${error.message}\n${error.next ?? ''}`);
    process.exitCode = 1;
  }
}
