import type { Config } from '../config.js';
import { homeHolder } from '../local/home.js';
import { findPostgres } from '../local/postgres.js';
import { signal, waitForExit } from '../local/processes.js';
import { findTemporal } from '../local/temporal-server.js';

const DRAIN_TIMEOUT_MS = 60_000;

/** Stops what `start` runs in this home, or what a killed one left behind. */
export async function stop(config: Config, print: (line: string) => void): Promise<void> {
  const home = { path: config.home };
  const holder = homeHolder(config.home);
  if (holder !== undefined) {
    signal(holder.pid, 'SIGTERM');
    const ended = await waitForExit(holder, DRAIN_TIMEOUT_MS);
    print(
      ended
        ? `Stopped the running start (pid ${holder.pid}).`
        : `Process ${holder.pid} is still draining.`,
    );
    if (!ended) return;
  }
  const temporal = findTemporal(home);
  if (temporal !== undefined) {
    await temporal.stop();
    print('Stopped Temporal.');
  }
  const postgres = await findPostgres(home);
  if (postgres !== undefined) {
    await postgres.stop();
    print('Stopped PostgreSQL.');
  }
  if (holder === undefined && temporal === undefined && postgres === undefined) {
    print('Nothing runs here.');
  }
}
