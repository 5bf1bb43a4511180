import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import { default as pretty } from 'pino-pretty';
import { DefaultLogger, Runtime, type RuntimeOptions } from '@temporalio/worker';
import type { Config } from './config.js';

export type { Logger };

/**
 * Names and numbers only, see `errors.ts`. JSON lines on standard error for programs; for people at
 * a terminal, or where `say` prints for `start`, one readable line each.
 */
export function createLog(level: Config['logLevel'], say?: (line: string) => void): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (say === undefined && !process.stderr.isTTY) return pino(options, pino.destination(2));
  const print = say ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const lines = new Writable({
    write(chunk, _encoding, done) {
      print(String(chunk).trimEnd());
      done();
    },
  });
  const readable = pretty({
    ...{ colorize: false, singleLine: true, translateTime: 'UTC:HH:MM:ss', sync: true },
    destination: lines,
  });
  return pino(options, readable);
}

const LOGGED = ['workflowId', 'activityType', 'attempt', 'code', 'stream', 'request', 'reason'];

/**
 * Temporal's own lines go into the same log, and our process decides when to stop: by default the
 * SDK would stop workers by itself at the first SIGINT. Call once, before any connection.
 */
export function installRuntime(log: Logger, metricsAddress: string | undefined): void {
  const logger = new DefaultLogger('WARN', ({ level, message, meta }) => {
    // Of the meta only what is ours or names a place: the rest may hold an error with its text.
    const known = LOGGED.flatMap((name) =>
      meta?.[name] === undefined ? [] : [[name, meta[name]]],
    );
    const fields = Object.fromEntries(known) as Record<string, unknown>;
    if (level === 'ERROR') log.error(fields, message);
    else log.warn(fields, message);
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
