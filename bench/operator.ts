/**
 * How soon a signal is heeded: from the moment it is sent to the first request that reaches Close
 * for it, and to its end in the status. Beside nothing else that runs.
 *
 *   npm run bench -- operator [--quick] [--repetitions N]
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SIGNALS } from '../src/contract.js';
import { benchOptions, median, publish, quantile, type Figure } from './support/figures.js';
import { benchSandbox, endReplica, replicate } from './support/replicate.js';
import { withStack } from './support/stack.js';

const options = benchOptions();
const SIGNALS_SENT = options.isQuick ? 5 : 20;
const LOOK_EVERY_MS = 2;

await withStack(async (stack) => {
  const sandbox = await benchSandbox({ leads: 100, activities: 1_000 });
  const database = await stack.database();
  const replica = await replicate(stack, database, sandbox, { streams: ['leads', 'activities'] });
  const { connection } = replica;
  await connection.until(
    ({ syncsCompleted, status }) => syncsCompleted > 0 && status !== 'Syncing',
  );

  const firstRequestMs = async (name: string, ...args: readonly unknown[]): Promise<number> => {
    const { requests } = sandbox.stats();
    const sentMs = performance.now();
    await stack.client.workflow.getHandle(connection.id).signal(name, ...args);
    while (sandbox.stats().requests === requests) await delay(LOOK_EVERY_MS);
    return performance.now() - sentMs;
  };
  const syncs: number[] = [];
  const backfills: number[] = [];
  for (let sent = 1; sent <= SIGNALS_SENT; sent += 1) {
    syncs.push(await firstRequestMs(SIGNALS.syncNow));
    await connection.until(({ status }) => status === 'Up to date');
    const request = { from: '2026-10-20', streams: ['leads'], id: `job-${sent}` };
    backfills.push(await firstRequestMs(SIGNALS.backfill, request));
    await connection.until(
      ({ status, backfills: jobs }) =>
        status === 'Up to date' && jobs.every((job) => job.status === 'done'),
    );
  }
  const figure = (measure: string, ours: number): Figure => ({
    ...{ measure: `${measure}, ms`, peer: null, ours, limit: 1_000 },
    ...{ ratio: ours / 1_000, target: '≤ 1 s', isMet: ours <= 1_000 },
  });
  publish('operator', options, [
    figure('signal syncNow to the first request, median', median(syncs)),
    figure('signal syncNow to the first request, p95', quantile(syncs, 0.95)),
    figure('signal backfill to the first request, median', median(backfills)),
    figure('signal backfill to the first request, p95', quantile(backfills, 0.95)),
  ]);
  await endReplica(replica);
  await database.drop();
  await sandbox.stop();
});
