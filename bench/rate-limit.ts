/**
 * How much of Close's rate limit a historical sync uses, and how often it is refused: activities from
 * a sandbox that allows 20 requests a second and answers after 150 ms, read by one worker, then by
 * three workers that share the budget of one key.
 *
 *   npm run bench -- rate-limit                      an embedded PostgreSQL of its own
 *   DATABASE_URL=… npm run bench -- rate-limit       one of yours; it gets schemas `bench_…`
 *
 * Prints, from the first request to the last: permitted, used, their ratio, and the 429s.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../src/local/postgres.js';
import { migrate } from '../src/postgres/migrate.js';
import { startSandbox } from '../src/sandbox/sandbox.js';
import { benchOptions, publish, type Figure } from './support/figures.js';

const LIMIT = 20;
const LATENCY_MS = 150;
const options = benchOptions();
/** `--quick` for a short look; `--records 10` where a busy machine cannot load 2,000 records/s. */
const { values } = parseArgs({ options: { records: { type: 'string' } }, strict: false });
const SECONDS = options.isQuick ? 20 : 60;
const PAGE_RECORDS = Number(values['records'] ?? 100);
const GROUP = 'GET /activity/';
const READER = fileURLToPath(new URL('support/rate-limit-reader.ts', import.meta.url));

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'closehaul-bench-'));
  const given = process.env['DATABASE_URL'];
  const postgres = given === undefined ? await startPostgres({ home: { path: home } }) : undefined;
  const url = given ?? postgres?.adminUrl ?? '';
  try {
    await migrate(url);
    console.log(`${LIMIT} requests/s, ${LATENCY_MS} ms, pages of ${PAGE_RECORDS} activities`);
    const measured: Used[] = [];
    for (const workers of [1, 3]) measured.push(await measure(url, workers));
    publish('rate-limit', options, measured.flatMap(figuresOf), measured);
  } finally {
    await postgres?.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

interface Used {
  readonly workers: number;
  /** Requests that Close allows in the time from the first to the last. */
  readonly permitted: number;
  readonly used: number;
  readonly refused: number;
}

function figuresOf({ workers, permitted, used, refused }: Used): Figure[] {
  const who = workers === 1 ? 'one worker' : `${workers} workers with one key`;
  const ratio = used / permitted;
  return [
    {
      measure: `${LIMIT} requests/s allowed, answers after ${LATENCY_MS} ms, ${who}: requests`,
      ...{ peer: null, ours: used, limit: permitted, ratio },
      ...{ target: '≥ 0.97 of limit', isMet: ratio >= 0.97 },
    },
    {
      measure: `the same, ${who}: refused with 429`,
      ...{ peer: null, ours: refused, limit: 0, ratio: null, target: '0', isMet: refused === 0 },
    },
  ];
}

async function measure(databaseUrl: string, workers: number): Promise<Used> {
  const sandbox = await startSandbox({
    ...{ seed: 'bench', leads: 1_000, until: '2026-11-01T00:00:00Z', rateLimit: LIMIT },
    ...{ activities: Math.round((SECONDS * LIMIT * PAGE_RECORDS) / workers) },
    ...{ latencyMs: LATENCY_MS, keepsLedger: false },
  });
  const answered = (): number => (sandbox.stats().byPath[GROUP] ?? 0) - refused();
  const refused = (): number => sandbox.stats().rejectedByRateLimit;
  const marks = { firstMs: 0, lastMs: 0, lastCount: 0, refusedEarly: 0 };
  const perSecond: number[] = [];
  // Each request counts from the moment it is seen, within 5 ms.
  const watch = setInterval(() => {
    const count = answered();
    const nowMs = performance.now();
    if (count === marks.lastCount) return;
    if (marks.firstMs === 0) marks.firstMs = nowMs;
    if (nowMs - marks.firstMs < 1_000) marks.refusedEarly = refused();
    const second = Math.floor((nowMs - marks.firstMs) / 1_000);
    perSecond[second] = (perSecond[second] ?? 0) + count - marks.lastCount;
    Object.assign(marks, { lastMs: nowMs, lastCount: count });
  }, 5);
  const key = `api_bench_${Date.now()}`;
  const readers = Array.from({ length: workers }, (_, index) =>
    fork(READER, [
      ...[sandbox.url, databaseUrl, key, `bench_${workers}_${index}_${Date.now()}`],
      String(PAGE_RECORDS),
    ]),
  );
  await Promise.all(readers.map(untilEnd));
  clearInterval(watch);
  const seconds = (marks.lastMs - marks.firstMs) / 1_000;
  const permitted = LIMIT * seconds;
  console.log(
    `${workers} worker${workers > 1 ? 's' : ''}: ${seconds.toFixed(1)} s, ` +
      `permitted ${permitted.toFixed(0)}, used ${answered()}, ` +
      `ratio ${((100 * answered()) / permitted).toFixed(1)} %, ` +
      `429s ${refused()} (${marks.refusedEarly} in the first second); ` +
      `requests of the median second ${median(perSecond)}`,
  );
  console.log(`  second by second: ${Array.from(perSecond, (count = 0) => count).join(' ')}`);
  const used = answered();
  const refusedInAll = refused();
  await sandbox.stop();
  return { workers, permitted, used, refused: refusedInAll };
}

function median(counts: readonly number[]): number {
  const sorted = Array.from(counts, (count = 0) => count).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function untilEnd(reader: ChildProcess): Promise<void> {
  const [exitCode] = (await once(reader, 'exit')) as [number | null];
  if (exitCode !== 0) throw new Error(`a reader ended with ${String(exitCode)}`);
}

await main();
