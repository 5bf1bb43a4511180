/**
 * Figure 6: four connections and one, two, four workers, then one connection whose worker reads one,
 * two, four slices at once. They share this machine with PostgreSQL, Temporal and the sandbox: how much
 * faster more of them are, how busy the cores are with it, and whether they wait for each other's locks.
 *
 *   npm run bench -- scale-out [--quick] [--repetitions N]
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '../src/sandbox/sandbox.js';
import { BenchConnection, environment, startBenchWorker } from './support/connection.js';
import { benchOptions, median, publish, type Figure } from './support/figures.js';
import { benchSandbox, START_DATE } from './support/replicate.js';
import { withStack, type Stack } from './support/stack.js';

const CONNECTIONS = 4;
const WORKERS = [1, 2, 4];
const SLICES = [1, 2, 4];
const SLICES_WORKER = fileURLToPath(new URL('support/slices-worker.ts', import.meta.url));
const LOCK_WAIT_MS = 100;

const options = benchOptions();
const size = options.isQuick
  ? { leads: 100, activities: 2_000 }
  : { leads: 400, activities: 8_000 };

interface Run {
  readonly connections: number;
  readonly workers: number;
  /** Null: as many as the worker thinks right. */
  readonly slicesAtOnce: number | null;
  readonly perSecond: number;
  /** How many of the cores were busy, with whatever. */
  readonly coresBusy: number;
}

let runs = 0;

type Size = Pick<Run, 'connections' | 'workers' | 'slicesAtOnce'>;

async function run(stack: Stack, sandbox: Sandbox, size: Size): Promise<Run> {
  runs += 1;
  const names = Array.from({ length: size.connections }, (_, n) => `run_${runs}_${n}`);
  const database = await stack.database();
  // As many organizations: each connection has a key of its own.
  const keys = names.map((name) => [`CLOSE_API_KEY_${name.toUpperCase()}`, `api_${name}`]);
  const env = {
    ...environment(stack, database.url, sandbox.url),
    ...(Object.fromEntries(keys) as Record<string, string>),
  };
  const started = [];
  const slices = size.slicesAtOnce;
  const args = slices === null ? undefined : ['--import', 'tsx', SLICES_WORKER, String(slices)];
  for (let n = 0; n < size.workers; n += 1) started.push(await startBenchWorker(env, args));
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
  return { ...size, perSecond: records / seconds, coresBusy };
}

function busySeconds(): number {
  const totalMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0);
  return totalMs / 1000;
}

/** Each beside the first: once the cores are busy, more can only take from each other. */
function figuresOf(names: readonly string[], groups: readonly (readonly Run[])[]): Figure[] {
  const rates = groups.map((runsOf) => median(runsOf.map(({ perSecond }) => perSecond)));
  const [first = NaN] = rates;
  return rates.map((ours, index): Figure => {
    const busy = median((groups[index] ?? []).map(({ coresBusy }) => coresBusy)).toFixed(1);
    return {
      measure: `${names[index]}: records/s (${busy} of ${cpus().length} cores busy)`,
      ...{ peer: null, ours, limit: null, ratio: ours / first },
      target: index === 0 ? '' : '≥ 0.8 × the first, the cores being busy',
      isMet: index === 0 || ours >= 0.8 * first,
    };
  });
}

function countsOf(texts: readonly string[]): readonly [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** PostgreSQL writes a line when somebody has waited for a lock for so long. */
async function logLockWaits(stack: Stack): Promise<() => readonly string[]> {
  await stack.setServer({ log_lock_waits: 'on', deadlock_timeout: `${LOCK_WAIT_MS}ms` });
  return () => {
    const lines = readFileSync(stack.postgresLog, 'utf8').matchAll(
      /still waiting for (\w+ on \w+)[^\n]*(?:\n(?:.*DETAIL|.*CONTEXT)[^\n]*)*(?:\n.*STATEMENT:\s+([^\n]*))?/g,
    );
    return [...lines].map(([, lock = '', statement = '']) => `${lock}: ${statement.slice(0, 60)}`);
  };
}

await withStack(async (stack) => {
  const lockWaits = await logLockWaits(stack);
  const sandbox = await benchSandbox(size);
  const all: Run[] = [];
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    for (const workers of WORKERS) {
      const size = { connections: CONNECTIONS, workers, slicesAtOnce: null };
      all.push(await run(stack, sandbox, size));
    }
    for (const slicesAtOnce of SLICES) {
      all.push(await run(stack, sandbox, { connections: 1, workers: 1, slicesAtOnce }));
    }
  }
  await sandbox.stop();
  const figures = [
    ...figuresOf(
      WORKERS.map((workers) => `${CONNECTIONS} connections, ${workers} workers`),
      WORKERS.map((workers) =>
        all.filter((each) => each.slicesAtOnce === null && each.workers === workers),
      ),
    ),
    ...figuresOf(
      SLICES.map((slices) => `1 connection, ${slices} slices at once`),
      SLICES.map((slices) => all.filter(({ slicesAtOnce }) => slicesAtOnce === slices)),
    ),
  ];
  const waited = lockWaits();
  const waits = waited.length;
  figures.push({
    measure: `waits for a lock of over ${LOCK_WAIT_MS} ms, in ${all.length} runs`,
    ...{ peer: null, ours: waits, limit: 0, ratio: null, target: '0', isMet: waits === 0 },
  });
  publish('scale-out', options, figures, { all, waited });
  for (const [lock, count] of countsOf(waited)) console.log(`  waited for: ${count} × ${lock}`);
});
