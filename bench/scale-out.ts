/**
 * Figure 6: four connections and one, two, four workers, which share this machine with PostgreSQL,
 * Temporal and the sandbox: how much faster more of them are, how busy the cores are with it, and
 * whether they wait for each other's locks.
 *
 *   npm run bench -- scale-out [--quick] [--repetitions N]
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Sandbox } from '../src/sandbox/sandbox.js';
import { BenchConnection, environment, startBenchWorker } from './support/connection.js';
import { benchOptions, median, publish, type Figure } from './support/figures.js';
import { benchSandbox, START_DATE } from './support/replicate.js';
import { withStack, type Stack } from './support/stack.js';

const CONNECTIONS = 4;
const WORKERS = [1, 2, 4];
const LOCK_WAIT_MS = 100;

const options = benchOptions();
const size = options.isQuick
  ? { leads: 100, activities: 2_000 }
  : { leads: 400, activities: 8_000 };

interface Run {
  readonly workers: number;
  readonly perSecond: number;
  /** How many of the cores were busy, with whatever. */
  readonly coresBusy: number;
}

let runs = 0;

async function run(stack: Stack, sandbox: Sandbox, workers: number): Promise<Run> {
  runs += 1;
  const names = Array.from({ length: CONNECTIONS }, (_, n) => `run_${runs}_${n}`);
  const database = await stack.database();
  // As many organizations: each connection has a key of its own.
  const keys = names.map((name) => [`CLOSE_API_KEY_${name.toUpperCase()}`, `api_${name}`]);
  const env = {
    ...environment(stack, database.url, sandbox.url),
    ...(Object.fromEntries(keys) as Record<string, string>),
  };
  const started = [];
  for (let n = 0; n < workers; n += 1) started.push(await startBenchWorker(env));
  const before = { ms: performance.now(), busy: busySeconds() };
  const connections = await Promise.all(
    names.map((name) =>
      BenchConnection.start(stack, {
        ...{ name, startDate: START_DATE, every: '31d', streams: ['leads', 'activities'] },
      }),
    ),
  );
  const syncs = await Promise.all(connections.map((connection) => connection.historicalSync()));
  const seconds = (performance.now() - before.ms) / 1000;
  const coresBusy = (busySeconds() - before.busy) / seconds;
  for (const connection of connections) await connection.end();
  for (const worker of started) await worker.stop();
  await database.drop();
  const records = syncs.reduce((sum, { result }) => sum + result.records, 0);
  return { workers, perSecond: records / seconds, coresBusy };
}

function busySeconds(): number {
  const totalMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0);
  return totalMs / 1000;
}

/** PostgreSQL writes a line when somebody has waited for a lock for so long. */
async function logLockWaits(stack: Stack): Promise<() => number> {
  const database = await stack.database();
  const { pool } = database;
  await pool.query('ALTER SYSTEM SET log_lock_waits = on');
  await pool.query(`ALTER SYSTEM SET deadlock_timeout = '${LOCK_WAIT_MS}ms'`);
  await pool.query('SELECT pg_reload_conf()');
  await database.drop();
  return () => readFileSync(stack.postgresLog, 'utf8').split('still waiting for').length - 1;
}

await withStack(async (stack) => {
  const lockWaits = await logLockWaits(stack);
  const sandbox = await benchSandbox(size);
  const all: Run[] = [];
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    for (const workers of WORKERS) all.push(await run(stack, sandbox, workers));
  }
  await sandbox.stop();
  const of = (workers: number): readonly Run[] => all.filter((each) => each.workers === workers);
  const rate = (workers: number): number => median(of(workers).map(({ perSecond }) => perSecond));
  const cores = cpus().length;
  const figures = WORKERS.map((workers): Figure => {
    const ours = rate(workers);
    const busy = median(of(workers).map(({ coresBusy }) => coresBusy));
    // Once the cores are busy, more workers can only take from each other.
    const isMet = workers === 1 || ours >= 0.8 * rate(1);
    return {
      measure: `${CONNECTIONS} connections, ${workers} workers: records/s (${busy.toFixed(1)} of ${cores} cores busy)`,
      ...{ peer: null, ours, limit: null, ratio: ours / rate(1) },
      ...{ target: workers === 1 ? '' : '≥ 0.8 × one worker, the cores being busy', isMet },
    };
  });
  const waits = lockWaits();
  figures.push({
    measure: `waits for a lock of over ${LOCK_WAIT_MS} ms, in ${all.length} runs`,
    ...{ peer: null, ours: waits, limit: 0, ratio: null, target: '0', isMet: waits === 0 },
  });
  publish('scale-out', options, figures, all);
});
