import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError, type Client, type WorkflowHandle } from '@temporalio/client';
import type pg from 'pg';
import type { StatusAnswer } from '../contract.js';
import { number } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import { readProgress, type StreamProgress } from '../postgres/report.js';
import { readStatus, retriedFailure } from './connection.js';
import { progressLine } from './progress.js';
import type { Screen } from './screen.js';
import type { DatabasePart, TemporalPart } from './stack.js';

/** All that runs while `start` runs. */
export interface Running {
  readonly name: string;
  readonly schema: string;
  readonly client: Client;
  readonly pool: pg.Pool;
  readonly handle: WorkflowHandle;
  /** How many incremental syncs must have ended until the first look is complete. */
  readonly syncsWanted: number;
  readonly database: DatabasePart;
  readonly temporal: TemporalPart;
  readonly workerEnded: Promise<never>;
}

const LOOK_EVERY_MS = 1_000;
const SPEED_OVER_MS = 5_000;
const LOOKS_BEFORE_GIVING_UP = 5;

interface Sight {
  readonly status: StatusAnswer;
  readonly progress: readonly StreamProgress[];
  /** What is being tried again, or what an operator must do; null when all goes well. */
  readonly problem: string | null;
}

/** Shows the historical sync until it and one incremental sync have ended. */
export async function watchFirstSyncs(
  running: Running,
  options: { readonly once: boolean; readonly startedMs: number },
  screen: Screen,
  stopped: AbortSignal,
): Promise<StatusAnswer> {
  const speedometer = new Speedometer();
  let hasRows: boolean | null = null;
  for (let looks = 1; ; looks += 1) {
    const { status, progress, problem } = await look(running, screen, stopped);
    const records = progress.reduce((sum, stream) => sum + stream.records, 0);
    const sinceStart = seconds(Date.now() - options.startedMs);
    // What an earlier start loaded is not news.
    hasRows ??= records > 0;
    if (!hasRows && records > 0) {
      hasRows = true;
      screen.say(`First rows after ${sinceStart}.`);
    }
    const isDone = status.historicalSync === 'done' || status.historicalSync === 'incomplete';
    if (isDone && status.syncsCompleted >= running.syncsWanted) {
      screen.settle();
      const what = status.historicalSync === 'done' ? 'complete' : 'incomplete';
      screen.say(`Historical and incremental sync ${what} after ${sinceStart}.`);
      return status;
    }
    if (options.once) refuseToWait(status, looks);
    const speed = speedometer.read(records);
    const line = isDone ? 'incremental sync' : progressLine(progress, speed).text;
    screen.show(`${status.status}: ${problem ?? line}`);
    await delay(LOOK_EVERY_MS, undefined, { signal: stopped });
  }
}

/** What waits for an operator would keep `--once` for ever; a moment is left for a resume to work. */
function refuseToWait({ status, problem }: StatusAnswer, looks: number): void {
  if (looks < LOOKS_BEFORE_GIVING_UP || (status !== 'Paused' && status !== 'Blocked')) return;
  throw new ClosehaulError('CONNECTION_WAITS', { status, problem: problem ?? 'resume it first' });
}

/** After the first syncs: one line for each sync that ends. */
export async function watchSyncs(
  running: Running,
  screen: Screen,
  stopped: AbortSignal,
): Promise<void> {
  let seen: string | undefined;
  for (;;) {
    const { status, problem } = await look(running, screen, stopped);
    const { lastSync, nextSyncAt, rebuild } = status;
    const next = nextSyncAt === null ? '' : `, next sync ${nextSyncAt.slice(11, 19)} UTC`;
    const isFilling = rebuild?.status === 'running';
    const filling = isFilling ? `, rebuild ${number(rebuild.records)} records` : '';
    screen.show(`${status.status}${problem === null ? next + filling : `: ${problem}`}`);
    if (seen !== undefined && lastSync !== null && lastSync.finishedAt !== seen) {
      const { kind, outcome, records, rows, finishedAt } = lastSync;
      screen.settle();
      screen.say(
        `${finishedAt.slice(11, 19)} ${kind} sync ${outcome}: ${number(records)} records read, ${number(rows)} rows written`,
      );
    }
    seen = lastSync?.finishedAt ?? '';
    await delay(LOOK_EVERY_MS, undefined, { signal: stopped });
  }
}

/**
 * How the connection stands. A server that is away for a moment is shown and waited for; throws when
 * the workflow, or our worker, has ended.
 */
async function look(running: Running, screen: Screen, stopped: AbortSignal): Promise<Sight> {
  for (;;) {
    try {
      const sight = lookOnce(running);
      sight.catch(() => undefined);
      return await Promise.race([sight, running.workerEnded]);
    } catch (error) {
      const isPassing =
        error instanceof ServiceError ||
        (error instanceof ClosehaulError &&
          (error.recovery === 'retry' || error.code === 'WORKER_ABSENT'));
      if (!isPassing) throw error;
      const what = error instanceof ClosehaulError ? error.message : 'Temporal does not answer.';
      screen.show(`Waiting: ${what}`);
      await delay(LOOK_EVERY_MS, undefined, { signal: stopped });
    }
  }
}

async function lookOnce(running: Running): Promise<Sight> {
  const { client, handle, pool, schema } = running;
  const { status: execution } = await handle.describe();
  if (execution.name !== 'RUNNING' && execution.name !== 'CONTINUED_AS_NEW') {
    const problem = await handle.result().then(
      () => 'it has completed',
      (error: unknown) => deepestMessage(error),
    );
    throw new ClosehaulError('CONNECTION_ENDED', { problem });
  }
  const status = await readStatus(client, running.name);
  const progress = await readProgress(pool, schema, 'initial');
  const problem = status.problem ?? (await retriedFailure(client, handle.workflowId));
  return { status, progress, problem };
}

/** The failure that our own code made, inside those that Temporal wrapped around it. */
function deepestMessage(error: unknown): string {
  let message = 'unknown';
  for (let cause = error; cause instanceof Error; cause = cause.cause) message = cause.message;
  return message;
}

/** Records per second over the last seconds. */
class Speedometer {
  private readonly readings: { atMs: number; records: number }[] = [];

  read(records: number): number {
    const last = { atMs: Date.now(), records };
    this.readings.push(last);
    while ((this.readings[0] ?? last).atMs < last.atMs - SPEED_OVER_MS) this.readings.shift();
    const first = this.readings[0] ?? last;
    if (first.atMs === last.atMs) return 0;
    return Math.max(0, records - first.records) / ((last.atMs - first.atMs) / 1000);
  }
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
