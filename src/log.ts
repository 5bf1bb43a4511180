import { pino, type Logger } from 'pino';
import { DefaultLogger, Runtime, type RuntimeOptions } from '@temporalio/worker';
import type { Config } from './config.js';

export type { Logger };

/** JSON lines on standard error; names and numbers only, see `errors.ts`. */
export function createLog(level: Config['logLevel']): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

/**
 * Temporal's own lines go into the same log, and our process decides when to stop: by default the
 * SDK would stop workers by itself at the first SIGINT. Call once, before any connection.
 */
export function installRuntime(log: Logger, metricsAddress: string | undefined): void {
  const logger = new DefaultLogger('WARN', ({ level, message, meta }) => {
    // Of the meta only what names a place: the rest may hold an error with its text.
    const { workflowId, activityType, attempt } = meta ?? {};
    const write = level === 'ERROR' ? log.error.bind(log) : log.warn.bind(log);
    write(
      {
        workflowId: workflowId as string,
        activityType: activityType as string,
        attempt: attempt as number,
      },
      message,
    );
  });
  const options: RuntimeOptions = {
    logger,
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } },
      ...(metricsAddress !== undefined && {
        metrics: { prometheus: { bindAddress: metricsAddress } },
      }),
    },
  };
  Runtime.install(options);
}
