import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SIGNALS, type StatusAnswer } from '../../src/contract.js';
import { ensureTctl } from '../../src/local/tctl.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { startConnection, statusOf, untilStatus } from '../support/e2e-connection.js';
import { doubledActivities } from '../support/e2e-older.js';
import { buildOnce, endProcesses } from '../support/e2e-process.js';
import { openShell, type Shell } from '../support/e2e-shell.js';
import { fillFolder, shownLines } from '../support/shown-lines.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { temporalCliPath, toolCacheFolder } from '../support/tools.js';

/**
 * Every line of tctl, temporal and closehaul that the documents show is run here as it stands there,
 * by a shell, with the real program; and what it promises has to happen. A new line needs an action.
 */
const NAME = 'Stitch Closeio';
const SCHEMA = 'stitch_closeio';
const WORKFLOW = `close-${SCHEMA}`;
/** For what is not about the streams, so that it is quick. */
const FEW = ['leads', 'activities', 'users'];
/** The only thing in a line that is another one here. */
const SHOWN_ADDRESS = '127.0.0.1:7233';

let shell: Shell;
let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;
let handle: WorkflowHandle;

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ from: '2026-05-01T00:00:00Z', leads: 15, activities: 90 });
  shell = openShell(
    {
      tctl: await ensureTctl({ cacheFolder: toolCacheFolder(), env: process.env }),
      temporal: await temporalCliPath(),
    },
    testEnv(database.url, sandbox.url),
  );
  fillFolder(shell.folder);
  worker = await testWorker(database.url, sandbox.url);
}, 300_000);

afterAll(async () => {
  await endProcesses();
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
  shell?.close();
});

/** Runs the line; it has to end well. */
async function run(line: string): Promise<string> {
  const { exitCode, stdout, stderr } = await shell.run(
    line.replace(SHOWN_ADDRESS, inject('temporalAddress')),
  );
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout + stderr;
}

/** The connection, up to date and with nothing to do. */
async function idle(): Promise<StatusAnswer> {
  handle = client.workflow.getHandle(WORKFLOW);
  const running = await handle.describe().catch(() => undefined);
  if (running?.status.name !== 'RUNNING') {
    await startConnection(client, { name: NAME, startDate: '2026-06-01', streams: FEW });
  }
  return untilIdle('up to date, with nothing to do');
}

function untilIdle(
  what: string,
  isSo: (status: StatusAnswer) => boolean = () => true,
): Promise<StatusAnswer> {
  return untilStatus(
    handle,
    what,
    (status) =>
      isSo(status) &&
      status.status === 'Up to date' &&
      status.backfills.every((job) => job.status === 'done'),
  );
}

async function rowCount(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM ${SCHEMA}.activities) + (SELECT count(*) FROM ${SCHEMA}.leads) AS count`,
  );
  return rows[0]?.count ?? 0;
}

async function endWith(line: string, word: string): Promise<void> {
  await idle();
  const before = await rowCount();
  expect(before).toBeGreaterThan(0);
  await run(line);
  await until(word, async () => (await handle.describe()).status.name === word);
  expect(await rowCount()).toBe(before);
}

interface Action {
  readonly name: string;
  /** The lines that it is about. */
  readonly of: RegExp;
  /** Runs one of them and sees what it promises happen. */
  readonly see: (line: string) => Promise<void>;
}

const reads = (name: string, of: RegExp, ...says: readonly RegExp[]): Action => ({
  name,
  of,
  async see(line) {
    await idle();
    const said = await run(line);
    for (const each of says) expect(said).toMatch(each);
  },
});

const SETTINGS: readonly Action[] = [
  {
    name: 'change frequency',
    of: / set .*--every|-n(?:ame)? set .*"every"/,
    async see(line) {
      await idle();
      await handle.signal(SIGNALS.set, { every: '30m', anchor: null });
      await untilIdle('every 30 minutes', ({ every }) => every === '30m');
      await run(line);
      const { nextSyncAt } = await untilIdle('every 6 hours', ({ every }) => every === '6h');
      if (line.includes('02:00')) expect(nextSyncAt).toMatch(/T(02|08|14|20):00:/);
    },
  },
  {
    name: 'choose streams',
    of: / set .*--streams|-n(?:ame)? set .*"streams"/,
    async see(line) {
      const { streams } = await idle();
      expect(streams.length).toBeGreaterThan(2);
      await run(line);
      const chosen = await untilIdle('two streams', ({ streams: now }) => now.length === 2);
      expect(chosen.streams.map(({ name }) => name)).toEqual(['leads', 'activities']);
      await handle.signal(SIGNALS.set, { streams: FEW });
      await untilIdle('a few streams', ({ streams: now }) => now.length === streams.length);
    },
  },
];

const LOOKING: readonly Action[] = [
  reads('look', /closehaul status "|closehaul status '|--qt status|status$/, /Up to date/),
  reads('list all connections', /closehaul status$|\blist /, /close-stitch_closeio|Stitch Closeio/),
  reads('streams', /closehaul streams/, /event_log/),
  reads('check', /closehaul check/, /Temporal/),
  reads('doctor', /closehaul doctor/, /^ok +Workers/m, /CloseState/),
  reads('runs', /closehaul runs/, /initial[\s\S]*complete/),
  reads('rejected', /closehaul rejected/, /No record is rejected\./),
  reads('show', /\bshow /, /WorkflowExecutionStarted/),
  reads('describe', /\bdescribe /, /closeConnection/),
  reads('schema', /closehaul schema/),
  reads('stop', /closehaul stop/, /Nothing runs here\./),
];

const ASKING: readonly Action[] = [
  {
    name: 'sync now',
    of: /syncNow|sync-now/,
    async see(line) {
      const { syncsCompleted } = await idle();
      await run(line);
      await untilIdle('synced', (status) => status.syncsCompleted > syncsCompleted);
    },
  },
  {
    name: 'backfill, bounded and by id',
    of: /h1/,
    async see(line) {
      await idle();
      await run(line);
      const { backfills } = await untilIdle('the job is done', (status) =>
        status.backfills.some(({ id }) => id === 'h1'),
      );
      // Asked for three times in three ways, it is one job.
      expect(backfills.filter(({ id }) => id === 'h1')).toEqual([
        expect.objectContaining({
          ...{ from: '2024-01-01T00:00:00.000000Z', to: '2024-07-01T00:00:00.000000Z' },
          ...{ streams: ['activities'], status: 'done' },
        }),
      ]);
    },
  },
  {
    name: 'backfill',
    of: /backfill/,
    async see(line) {
      const { requests } = await idle();
      await run(line);
      const { backfills } = await untilIdle(
        'it is taken and done',
        (status) => status.requests.accepted > requests.accepted,
      );
      expect(backfills.at(-1)).toMatchObject({
        from: '2024-01-01T00:00:00.000000Z',
        streams: null,
      });
      expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
    },
  },
  {
    name: 'pause several',
    of: /signal --query .*pause/,
    async see(line) {
      await idle();
      const other = await startConnection(client, { name: 'Second', startDate: '2026-10-01' });
      await untilStatus(other, 'it answers', () => true);
      await run(line);
      const isPaused = ({ status }: StatusAnswer): boolean => status === 'Paused';
      await untilStatus(handle, 'paused', isPaused);
      await untilStatus(other, 'paused', isPaused);
    },
  },
  {
    name: 'resume several',
    of: /signal --query .*resume/,
    async see(line) {
      const other = client.workflow.getHandle('close-second');
      expect((await statusOf(handle)).status).toBe('Paused');
      await run(line);
      const isOn = ({ status }: StatusAnswer): boolean => status !== 'Paused';
      await untilStatus(handle, 'not paused', isOn);
      await untilStatus(other, 'not paused', isOn);
      await other.terminate();
    },
  },
  {
    name: 'pause',
    of: /pause/,
    async see(line) {
      await idle();
      await run(line);
      await untilStatus(handle, 'paused', ({ status }) => status === 'Paused');
      await handle.signal(SIGNALS.resume);
    },
  },
  {
    name: 'resume',
    of: /resume/,
    async see(line) {
      await idle();
      await handle.signal(SIGNALS.pause);
      await untilStatus(handle, 'paused', ({ status }) => status === 'Paused');
      await run(line);
      await untilIdle('going on');
    },
  },
  {
    name: 'rebuild',
    of: /rebuild/i,
    async see(line) {
      await idle();
      const before = await rowCount();
      const { requests } = await statusOf(handle);
      await run(line);
      const { rebuild } = await untilIdle(
        'rebuilt',
        (status) =>
          status.requests.accepted > requests.accepted && status.rebuild?.status === 'done',
      );
      expect(rebuild).toMatchObject({ layout: 'jsonb', problem: null });
      expect(await rowCount()).toBe(before);
    },
  },
  {
    name: 'reconcile',
    of: /reconcile/i,
    async see(line) {
      const { requests } = await idle();
      await run(line);
      const { reconcile } = await untilIdle(
        'it is taken and done',
        (status) =>
          status.requests.accepted > requests.accepted && status.reconcile?.status === 'done',
      );
      expect(reconcile?.streams.map(({ stream }) => stream)).toContain('activities');
    },
  },
  {
    name: 'a Schedule',
    of: /schedule create/,
    async see(line) {
      await idle();
      const { rows } = await database.pool.query('SELECT run FROM closehaul.runs');
      await run(line);
      const schedule = client.schedule.getHandle('nightly');
      // Beside a sync of the connection itself, of the same streams.
      await Promise.all([schedule.trigger(), handle.signal(SIGNALS.syncNow)]);
      await until('what it started is over', async () => {
        const { recentActions } = (await schedule.describe()).info;
        const [action] = recentActions;
        if (action?.action.type !== 'startWorkflow') return false;
        const { workflowId } = action.action.workflow;
        expect(workflowId).toMatch(/^close-stitch_closeio-nightly-/);
        await client.workflow.getHandle(workflowId).result();
        return true;
      });
      await schedule.delete();
      await untilIdle('the connection goes on');
      const { rows: after } = await database.pool.query('SELECT run FROM closehaul.runs');
      expect(after.length - rows.length).toBeGreaterThanOrEqual(2);
      expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
    },
  },
];

const ENDING: readonly Action[] = [
  {
    name: 'start afresh',
    of: /\breset /,
    async see(line) {
      await idle();
      const [before, { runId }] = [await rowCount(), await handle.describe()];
      await run(line);
      await until('another run', async () => (await handle.describe()).runId !== runId);
      await untilIdle('up to date again');
      expect(await rowCount()).toBe(before);
      expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
    },
  },
  { name: 'end', of: /\bcancel /, see: (line) => endWith(line, 'CANCELLED') },
  { name: 'end at once', of: /\bterminate /, see: (line) => endWith(line, 'TERMINATED') },
  {
    name: 'start',
    of: /closeConnection|closehaul create/,
    async see(line) {
      await idle();
      await handle.terminate();
      await run(line);
      const first = await untilIdle('it runs');
      if (line.includes('6h')) expect(first).toMatchObject({ every: '6h' });
      // Once more is harmless: the workflow that runs goes on.
      const { runId } = await handle.describe();
      await run(line);
      expect((await handle.describe()).runId).toBe(runId);
    },
  },
];

const SERVING: readonly Action[] = ['worker', 'sandbox'].map((command) => ({
  name: command,
  of: new RegExp(`closehaul ${command}`),
  async see(line) {
    const process = shell.start(line);
    await until('it says that it is there', () => Promise.resolve(process.output() !== ''));
    process.signal('SIGTERM');
    expect((await process.finished).exitCode).toBe(0);
  },
}));

/** In this order, a line is of the first action that it fits. */
const ACTIONS = [
  ...ENDING.slice(0, 3),
  ...ASKING,
  ...SETTINGS,
  ...LOOKING,
  ...ENDING.slice(3),
  ...SERVING,
];
const LINES = shownLines();
const actionOf = (line: string): Action | undefined => ACTIONS.find(({ of }) => of.test(line));

describe('the documents', () => {
  it('show no line of which no test says what it does', () => {
    expect(LINES.filter(({ line }) => actionOf(line) === undefined)).toEqual([]);
  });
});

const linesOf = (action: Action): typeof LINES =>
  LINES.filter(({ line }) => actionOf(line) === action);

describe.each(
  [...LOOKING, ...SETTINGS, ...ASKING, ...ENDING, ...SERVING].filter(
    (action) => linesOf(action).length > 0,
  ),
)('$name', (action) => {
  it.each(linesOf(action))('$line', ({ line }) => action.see(line), 120_000);
});
