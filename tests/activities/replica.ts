import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps } from '../../src/activities/deps.js';
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
  /** One sync, to its end; gives what `closehaul runs` would show of it. */
  sync(kind: RunKind): Promise<RunResult>;
  /** Lets so much time pass, with the changes that fall into it. */
  pass(milliseconds: number): void;
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
}

const UNTIL = '2026-11-01T00:00:00Z';

export async function openReplica(options: ReplicaOptions = {}): Promise<Replica> {
  const { streams, requestMs = 1_000, startDate = '2025-11-01', perMinute = 3, ...more } = options;
  let nowMs = Date.parse(UNTIL) + 60_000;
  let isQuiet = true;
  const now = (): Instant => instantFromMillis(nowMs);
  const sandbox = await startSandbox({
    ...{ leads: 12, activities: 90, until: UNTIL, rateLimit: 0, now: () => new Date(nowMs) },
    ...more,
  });
  const changes = new LiveChanges(sandbox.world, perMinute, Date.parse(UNTIL) * 1000);
  const pass = (milliseconds: number): void => {
    nowMs += milliseconds;
    if (isQuiet) return;
    changes.start();
    changes.stop();
  };
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
  const database = await testDatabase();
  const { pool } = database;
  await migrate(database.url);
  await openConnection(pool, {
    ...{ schema: SCHEMA, name: 'Ledger', layout: 'stitch', organizationId: 'orga_1' },
    ...{ startDate: instantFromMillis(Date.parse(startDate)), liveFrom: now(), workflowId: 'w' },
    isOwnerRunning: () => Promise.resolve(false),
  });
  const known = CLOSE_STREAMS.map(({ name }) => name);
  const selection = selectStreams(streams ?? null, known);
  if ('unknown' in selection) throw new Error(`no stream ${selection.unknown}`);
  const chosen = CLOSE_STREAMS.filter(({ name }) => selection.streams.includes(name));
  await registerStreams(pool, SCHEMA, chosen, now(), selection.leftOut);
  const catalog = await Catalog.open(pool, SCHEMA, 'stitch', CLOSE_STREAMS);
  const deps: ActivityDeps = {
    ...{ pool, streams: CLOSE_STREAMS, customFieldsBySchema: new Map(), now, nowMs: () => 0 },
    ...{ sourceOf: () => source, provenSourceOf: () => Promise.resolve(source) },
    ...{
      catalogOf: () => Promise.resolve(catalog),
      probe: () => undefined,
      forget: () => undefined,
    },
  };
  let runs = 0;
  return {
    ...{ sandbox, database, deps, pass },
    async sync(kind) {
      runs += 1;
      const job = kind === 'incremental' ? 'live' : 'initial';
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
      await database.close();
    },
  };
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
