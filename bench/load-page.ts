/**
 * What one page costs the destination: 100 leads with all that nests in them, and 100 activities,
 * loaded as new, read again unchanged, and read again changed.
 *
 *   npx tsx bench/load-page.ts                      an embedded PostgreSQL of its own
 *   DATABASE_URL=… npx tsx bench/load-page.ts       one of yours; it gets two schemas, `bench_…`
 *
 * Prints milliseconds a page (the median), records a second, and where the time of a page goes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { CLOSE_STREAMS } from '../src/close/streams.js';
import { denestPage } from '../src/core/denest.js';
import type { Instant } from '../src/core/instant.js';
import { LAYOUTS } from '../src/core/layout.js';
import type { JsonRecord } from '../src/core/record.js';
import { sliceId } from '../src/core/stream.js';
import { startPostgres } from '../src/local/postgres.js';
import { Catalog } from '../src/postgres/catalog.js';
import { planCheckpoints, type SliceRef } from '../src/postgres/checkpoints.js';
import { openConnection, registerStreams } from '../src/postgres/connections.js';
import { loadPage } from '../src/postgres/load.js';
import { loadable, type LoadableRecord } from '../src/postgres/loadable.js';
import { migrate } from '../src/postgres/migrate.js';
import { createPool, inTransaction } from '../src/postgres/pool.js';
import { startSandbox } from '../src/sandbox/sandbox.js';

const PAGES = 20;
const PAGE_RECORDS = 100;
const FROM = '2020-01-01T00:00:00.000000Z' as Instant;
const TO = '2027-01-01T00:00:00.000000Z' as Instant;

type Phases = Map<string, number>;

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'closehaul-bench-'));
  const given = process.env['DATABASE_URL'];
  const postgres = given === undefined ? await startPostgres({ home: { path: home } }) : undefined;
  const url = given ?? postgres?.adminUrl ?? '';
  try {
    await migrate(url);
    const pool = createPool({ url, sizeMax: 4, applicationName: 'closehaul bench' });
    for (const stream of ['leads', 'activities']) await benchStream(pool, stream);
    await pool.end();
  } finally {
    await postgres?.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function benchStream(pool: pg.Pool, name: string): Promise<void> {
  const stream = CLOSE_STREAMS.find((candidate) => candidate.name === name);
  if (stream === undefined) throw new Error(`no stream is called ${name}`);
  const pages = await readPages(name === 'leads' ? '/lead/' : '/activity/');
  const schema = `bench_${name}_${Date.now()}`;
  await openConnection(pool, {
    ...{ schema, name: schema, layout: 'stitch', organizationId: 'orga_bench' },
    ...{ startDate: FROM, liveFrom: TO, workflowId: 'bench' },
    isOwnerRunning: () => Promise.resolve(false),
  });
  await registerStreams(pool, schema, CLOSE_STREAMS, TO);
  const catalog = await Catalog.open(pool, schema, 'stitch', CLOSE_STREAMS);

  const startedMs = performance.now();
  const denested = pages.map((page) => denestAll(page, stream));
  const denestMs = (performance.now() - startedMs) / pages.length;
  const changed = pages.map((page) => denestAll(page.map(edited), stream));
  const tables = new Set(denested.flat().flatMap(({ rows }) => rows.map(({ table }) => table)));
  const rows = denested.flat().reduce((sum, record) => sum + record.rows.length, 0);
  console.log(
    `\n${name}: ${pages.length} pages of ${PAGE_RECORDS} records, ${tables.size} tables, ` +
      `${(rows / pages.length).toFixed(0)} rows a page, de-nesting ${denestMs.toFixed(1)} ms a page`,
  );
  for (const [job, all] of [
    ['new', denested],
    ['unchanged', denested],
    ['changed', changed],
  ] as const) {
    await benchPass(pool, catalog, { schema, job, stream: name, slice: '' }, all);
  }
  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
}

async function benchPass(
  pool: pg.Pool,
  catalog: Catalog,
  ref: SliceRef,
  pages: readonly (readonly LoadableRecord[])[],
): Promise<void> {
  const slice = { stream: ref.stream, part: 'bench', from: FROM, to: TO, bookmarkOnClose: null };
  await inTransaction(pool, (client) => planCheckpoints(client, ref.schema, ref.job, [slice]));
  const phases: Phases = new Map();
  const pageMs: number[] = [];
  for (const [version, records] of pages.entries()) {
    const startedMs = performance.now();
    let lastMs = startedMs;
    const mark = (point: string): void => {
      const nowMs = performance.now();
      // The first page makes the tables; it says nothing of the others.
      if (version > 0) phases.set(point, (phases.get(point) ?? 0) + nowMs - lastMs);
      lastMs = nowMs;
    };
    await loadPage(
      {
        ...{ ref: { ...ref, slice: sliceId(slice) }, version, records, rejects: [] },
        ...{ receivedAt: TO, next: { page: version }, totalRecords: null, requests: 1 },
      },
      { pool, catalog, probe: mark },
    );
    mark('committed');
    if (version > 0) pageMs.push(performance.now() - startedMs);
  }
  const medianMs = [...pageMs].sort((a, b) => a - b)[Math.floor(pageMs.length / 2)] ?? 0;
  const parts = [...phases].map(([point, ms]) => `${point} ${(ms / pageMs.length).toFixed(1)}`);
  console.log(
    `  ${ref.job.padEnd(9)} ${medianMs.toFixed(1).padStart(6)} ms a page  ` +
      `${((PAGE_RECORDS / medianMs) * 1000).toFixed(0).padStart(6)} records/s   (${parts.join(' · ')})`,
  );
}

function denestAll(
  records: readonly JsonRecord[],
  stream: (typeof CLOSE_STREAMS)[number],
): readonly LoadableRecord[] {
  const batch = loadable(denestPage(records, stream, LAYOUTS.stitch));
  const [reject] = batch.rejects;
  if (reject !== undefined) throw new Error(reject.reason);
  return batch.records;
}

/** The same record as its next version: one field and the clock are different. */
function edited(record: JsonRecord): JsonRecord {
  return { ...record, description: 'edited', date_updated: '2026-12-01T00:00:00.000000+00:00' };
}

async function readPages(path: string): Promise<readonly (readonly JsonRecord[])[]> {
  const count = PAGES * PAGE_RECORDS;
  const sandbox = await startSandbox({
    ...{ seed: 'bench', leads: count, activities: count * 2, until: '2026-11-01T00:00:00Z' },
    rateLimit: 0,
  });
  const authorization = `Basic ${Buffer.from('api_bench:').toString('base64')}`;
  const pages: (readonly JsonRecord[])[] = [];
  for (let skip = 0; skip < count; skip += PAGE_RECORDS) {
    const url = `${sandbox.url}${path}?_limit=${PAGE_RECORDS}&_skip=${skip}`;
    const answer = await fetch(url, { headers: { authorization } });
    const body = (await answer.json()) as { data: JsonRecord[] };
    pages.push(body.data);
  }
  await sandbox.stop();
  return pages;
}

await main();
