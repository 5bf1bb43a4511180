import type { Config } from '../config.js';
import { ClosehaulError } from '../errors.js';
import { createLog, installRuntime } from '../log.js';
import { startWorker } from '../worker.js';
import { temporalOf } from './client.js';
import { databaseUrlOf } from './database.js';

/** A worker alone, against any Temporal and any PostgreSQL, until `stopped` aborts. */
export async function work(config: Config, stopped: AbortSignal): Promise<void> {
  const log = createLog(config.logLevel);
  if (!config.hasKey) {
    throw new ClosehaulError('KEY_MISSING', { connection: 'any', variable: 'CLOSE_API_KEY' });
  }
  // Told now and not at the first activity, where nobody looks at this process.
  config.keyOf('any');
  const databaseUrl = await databaseUrlOf(config);
  installRuntime(log, config.metricsAddress);
  const worker = await startWorker({
    config: { ...config, temporal: temporalOf(config) },
    databaseUrl,
    log,
  });
  const drain = (): void => {
    log.info('draining: the page in hand is finished first');
    // How it ends is told by "finished".
    worker.stop().catch(() => undefined);
  };
  if (stopped.aborted) drain();
  else stopped.addEventListener('abort', drain, { once: true });
  await worker.finished;
  log.info('worker ended');
}
