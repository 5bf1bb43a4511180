import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps, Probe } from '../../src/activities/deps.js';
import { beginRun, endRun } from '../../src/activities/runs.js';
import { syncSlices } from '../../src/activities/sync-slice.js';
import { createCloseClient } from '../../src/close/client.js';
import { createCloseSource } from '../../src/close/source.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { RunInput, RunKind, RunResult, SlicesProgress } from '../../src/contract.js';
import { instantFromMillis, type Instant } from '../../src/core/instant.js';
import type { RateBudget } from '../../src/core/ports.js';
import { selectStreams } from '../../src/core/stream-selection.js';
import { Catalog } from '../../src/postgres/catalog.js';
import { openConnection, registerStreams } from '../../src/postgres/connections.js';
import { migrate } from '../../src/postgres/migrate.js';
import { quote } from '../../src/postgres/pool.js';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { LiveChanges } from '../../src/sandbox/world/live-changes.js';
import { testDatabase, TEST_KEY, type TestDatabase } from '../support/stack.js';

export const SCHEMA = 'ledger';

/**
 * The whole journey of records without Temporal around it: a sandbox that changes while it is read,
 * the real source, the real activities, a real warehouse. Time passes with the requests, on a clock
 * that is shared by both sides.
 */
export interface Replica {
  readonly sandbox: Sandbox;
  readonly database: TestDatabase;
  /** For a test that calls the activities itself. */
  readonly deps: ActivityDeps;
  readonly catalog: Catalog;
  /** One sync, to its end; gives what `closehaul runs` would show of it. */
  sync(kind: RunKind, job?: string): Promise<RunResult>;
  /** Lets so much time pass, with the changes that fall into it. */
  pass(milliseconds: number): void;
  /** By each name that a user ever had, whose it is: no clock tells that copies of it changed. */
  readonly userNames: ReadonlyMap<string, string>;
  /** Whether the account goes on changing. */
  setQuiet(isQuiet: boolean): void;
  /** Requests to Close since the last call, by path; whom the key belongs to aside. */
  requests(): readonly string[];
  rows(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  table(name: string): string;
  close(): Promise<void>;
}

export interface ReplicaOptions extends SandboxOptions {
  readonly streams?: readonly string[];
  /** How far the clock goes on with each request, in milliseconds. */
  readonly requestMs?: number;
  readonly startDate?: string;
  readonly perMinute?: number;
  /** Another number, other changes of the same account; by default they follow from `seed`. */
  readonly changes?: number;
  /** Tables of an earlier replica with these streams; they are emptied. */
  readonly tables?: Tables;
  readonly probe?: Probe;
  /** When the account's data ends; the clock begins a minute later. */
  readonly until?: string;
}

/** A warehouse that one replica after the other fills: most of a small sync's time goes into DDL. */
export interface Tables {
  readonly database: TestDatabase;
  /** Makes the connection anew with its names, and takes all rows away. */
  open(
    streams: readonly string[] | undefined,
    startDate: Instant,
    liveFrom: Instant,
  ): Promise<Catalog>;
  close(): Promise<void>;
}

export async function openTables(): Promise<Tables> {
  const database = await testDatabase();
  const { pool } = database;
  // What a crash would lose is not asked here, and a commit need not wait for the disk.
  await pool.query(`ALTER DATABASE ${quote(databaseOf(database))} SET synchronous_commit = off`);
  await migrate(database.url);
  let catalog: Catalog | undefined;
  return {
    database,
    async open(streams, startDate, liveFrom) {
      if (catalog !== undefined) await empty(database);
      await openConnection(pool, {
        ...{ schema: SCHEMA, name: 'Ledger', layout: 'stitch', organizationId: 'orga_1' },
        ...{ startDate, liveFrom, workflowId: 'w' },
        isOwnerRunning: () => Promise.resolve(false),
      });
      const known = CLOSE_STREAMS.map(({ name }) => name);
      const selection = selectStreams(streams ?? null, known);
      if ('unknown' in selection) throw new Error(`no stream ${selection.unknown}`);
      const chosen = CLOSE_STREAMS.filter(({ name }) => selection.streams.includes(name));
      await registerStreams(pool, SCHEMA, chosen, liveFrom, selection.leftOut);
      catalog ??= await Catalog.open(pool, SCHEMA, 'stitch', CLOSE_STREAMS);
      return catalog;
    },
    close: () => database.close(),
  };
}

function databaseOf({ url }: TestDatabase): string {
  return new URL(url).pathname.slice(1);
}

/** Everything but names: those of tables, columns, custom fields. */
async function empty({ pool }: TestDatabase): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    'SELECT table_name AS name FROM closehaul.warehouse_tables WHERE schema_name = $1',
    [SCHEMA],
  );
  const tables = [...rows.map(({ name }) => name), '_sdc_rejected'];
  const all = tables.map((name) => `DELETE FROM ${quote(SCHEMA)}.${quote(name)}`);
  const state = ['checkpoints', 'bookmarks', 'streams', 'runs', 'tombstones', 'reconciliations'];
  all.push(...state.map((name) => `DELETE FROM closehaul.${name}`));
  await pool.query(all.join(';'));
}

export async function openReplica(options: ReplicaOptions = {}): Promise<Replica> {
  const { streams, requestMs = 1_000, startDate = '2025-11-01', perMinute = 3, ...more } = options;
  const { probe = () => undefined, tables = await openTables(), changes: number, ...size } = more;
  const { until = '2026-11-01T00:00:00Z' } = options;
  let nowMs = Date.parse(until) + 60_000;
  let isQuiet = true;
  const now = (): Instant => instantFromMillis(nowMs);
  const sandbox = await startSandbox({
    ...{ leads: 12, activities: 90, rateLimit: 0, now: () => new Date(nowMs) },
    ...{ ...size, until },
  });
  const changes = new LiveChanges(sandbox.world, perMinute, Date.parse(until) * 1000, number);
  const pass = (milliseconds: number): void => {
    nowMs += milliseconds;
    if (isQuiet) return;
    changes.start();
    changes.stop();
  };
  const userNames = watchNames(sandbox.world);
  const asked: string[] = [];
  const budget: RateBudget = {
    take: (group) => {
      if (group !== 'GET /me/') asked.push(group);
      pass(requestMs);
      return Promise.resolve({ waitMs: 0, permit: null });
    },
    learn: () => Promise.resolve(),
    block: () => Promise.resolve(),
  };
  const client = createCloseClient({
    ...{ connection: SCHEMA, keyVariable: 'CLOSE_API_KEY', apiKey: TEST_KEY, version: 'test' },
    ...{ baseUrl: sandbox.url, budget },
  });
  const source = createCloseSource({ client, warn: () => undefined, nowMs: () => nowMs });
  const { database } = tables;
  const { pool } = database;
  const catalog = await tables.open(streams, instantFromMillis(Date.parse(startDate)), now());
  const deps: ActivityDeps = {
    ...{ pool, streams: CLOSE_STREAMS, customFieldsBySchema: new Map(), now, nowMs: () => 0 },
    ...{ sourceOf: () => source, provenSourceOf: () => Promise.resolve(source) },
    ...{ catalogOf: () => Promise.resolve(catalog), probe, forget: () => undefined },
  };
  let runs = 0;
  return {
    ...{ sandbox, database, catalog, deps, pass, userNames },
    async sync(kind, job = JOBS[kind] ?? `${kind}/1`) {
      runs += 1;
      return runOnce(deps, {
        ...{ schema: SCHEMA, job, run: `run/${runs}`, kind },
        ...{ streams: null, from: null, to: null },
      });
    },
    setQuiet: (value) => {
      isQuiet = value;
      // What fell into the quiet time happens when it ends; a test begins with none.
      pass(0);
    },
    requests: () => asked.splice(0),
    rows: async (text, values = []) =>
      (await pool.query<Record<string, unknown>>(text, [...values])).rows,
    table: (name) => `${quote(SCHEMA)}.${quote(name)}`,
    async close() {
      client.close();
      await sandbox.stop();
      if (options.tables === undefined) await tables.close();
    },
  };
}

const JOBS: Partial<Record<RunKind, string>> = { initial: 'initial', incremental: 'live' };

function watchNames({ data, settings }: Sandbox['world']): ReadonlyMap<string, string> {
  const names = new Map(data.organization.users.map(({ id, name }) => [name, id]));
  const rename = settings.renameUser.bind(settings);
  settings.renameUser = (id, first, last) => {
    rename(id, first, last);
    names.set(`${first} ${last}`, id);
  };
  return names;
}

/** As the workflow does it: a stream's trouble is its own. */
async function runOnce(deps: ActivityDeps, input: RunInput): Promise<RunResult> {
  const environment = new MockActivityEnvironment();
  const { slices } = await beginRun(input, deps);
  const problems: Record<string, string> = {};
  let open = slices;
  while (open.length > 0) {
    const refs = open;
    const { done, parked } = await environment
      .run<[], SlicesProgress, () => Promise<SlicesProgress>>(() => syncSlices(refs, deps))
      .catch((error: ApplicationFailure): SlicesProgress => ({
        ...{ done: [], streams: [] },
        parked: { stream: String(error.details?.[0]), message: error.message },
      }));
    open = open.filter((ref, index) => !done.includes(index) && ref.stream !== parked?.stream);
    if (parked !== null) problems[parked.stream] = parked.message;
  }
  return endRun({ ...input, problems }, deps);
}
