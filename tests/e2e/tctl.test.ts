import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finalReport } from '../../src/commands/report.js';
import type { StatusAnswer } from '../../src/contract.js';
import { ensureTctl } from '../../src/local/tctl.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { canarySightings, sightings } from '../support/e2e-canary.js';
import {
  closeActivities,
  doubledActivities,
  loadedActivitiesBefore,
} from '../support/e2e-older.js';
import { endProcesses } from '../support/e2e-process.js';
import { openShell, type Shell } from '../support/e2e-shell.js';
import {
  testClient,
  testConfig,
  testDatabase,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { toolCacheFolder } from '../support/tools.js';

const WORKFLOW = 'close-stitch_closeio';
const SCHEMA = 'stitch_closeio';
const START_DATE = '2026-07-23';
/** Before that, and long after the oldest that Close has. */
const BACKFILL_FROM = '2026-03-01';
/** Where nothing is cached, tctl is built first. */
const BUILD_TIMEOUT_MS = 300_000;

let shell: Shell;
let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;

beforeAll(async () => {
  shell = openShell({
    tctl: await ensureTctl({ cacheFolder: toolCacheFolder(), env: process.env }),
  });
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ from: '2024-11-01T00:00:00Z', activities: 800 });
  worker = await testWorker(database.url, sandbox.url);
}, BUILD_TIMEOUT_MS);

afterAll(async () => {
  await endProcesses();
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
  shell?.close();
});

async function status(workflow = WORKFLOW): Promise<StatusAnswer> {
  const line = `tctl workflow query --workflow_id ${workflow} --query_type status`;
  const printed = await shell.read(line);
  const [answer] = JSON.parse(printed.slice(printed.indexOf('['))) as [StatusAnswer];
  return answer;
}

function untilStatus(
  what: string,
  isSo: (answer: StatusAnswer) => boolean,
  workflow = WORKFLOW,
): Promise<StatusAnswer> {
  return until(what, async () => {
    const answer = await status(workflow);
    return isSo(answer) && answer;
  });
}

function isSettled(answer: StatusAnswer): boolean {
  return answer.status === 'Up to date' && answer.syncsCompleted > 0;
}

/** The lines about tctl that `closehaul start` shows at its end. */
async function shownLines(): Promise<readonly string[]> {
  const said: string[] = [];
  const { temporal: connect } = testConfig(database.url, sandbox.url);
  const address = connect.connectionOptions.address ?? '';
  await finalReport(
    {
      schema: SCHEMA,
      pool: database.pool,
      database: { url: database.url, isEmbedded: false },
      temporal: { connect, address, uiUrl: null, cliPath: null, isEmbedded: false },
    },
    { name: 'Stitch Closeio' },
    {
      say: (line) => void said.push(line),
      show: () => undefined,
      settle: () => undefined,
      close: () => undefined,
    },
  );
  return said.flatMap((line) => /^(?:tctl)? +(tctl .*)$/.exec(line)?.[1] ?? []);
}

describe('an operator with tctl', () => {
  it('starts a connection with the full JSON, and its tables fill', async () => {
    const printed = await shell.read(
      `tctl workflow start --taskqueue closehaul --workflow_type closeConnection --workflow_id ${WORKFLOW} --input '{"name":"Stitch Closeio","startDate":"${START_DATE}","every":"30m","anchor":"02:00","streams":["leads","activities"],"layout":"stitch"}'`,
    );
    expect(printed).toContain(`Started Workflow Id: ${WORKFLOW}, run Id: `);
    const answer = await untilStatus('up to date', isSettled);
    const { rows } = await database.pool.query<{ count: number }>(
      `SELECT count(*) FROM ${SCHEMA}.activities`,
    );
    expect(rows[0]?.count).toBeGreaterThan(0);
    expect(answer.streams.find(({ name }) => name === 'activities')?.rows).toBe(rows[0]?.count);
    expect(await loadedActivitiesBefore(database.pool, SCHEMA, START_DATE)).toEqual([]);
  });

  it('reads in the status all that is promised', async () => {
    const answer = await status();
    expect(answer).toMatchObject({
      status: 'Up to date',
      name: 'Stitch Closeio',
      schema: SCHEMA,
      every: '30m',
      startDate: `${START_DATE}T00:00:00.000000Z`,
      lastSync: { kind: 'incremental', outcome: 'complete' },
      backfills: [],
      rejectedRequests: [],
      problem: null,
    });
    expect(answer.nextSyncAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:(00|30):\d\d\.000000Z$/);
    expect(answer.streams.map(({ name }) => name)).toEqual(['leads', 'activities']);
    for (const stream of answer.streams) {
      expect(stream).toEqual({
        name: stream.name,
        status: 'Up to date',
        rows: expect.any(Number) as number,
        bookmark: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        error: null,
        note: null,
      });
    }
  });

  it('starts a second connection with nothing but its name, under any workflow id', async () => {
    await shell.read(
      `tctl workflow start --taskqueue closehaul --workflow_type closeConnection --workflow_id whatever --input '"Second Name"'`,
    );
    const answer = await untilStatus(
      'the leads are there',
      ({ streams }) => streams.some(({ name, rows }) => name === 'leads' && rows > 0),
      'whatever',
    );
    expect(answer).toMatchObject({ name: 'Second Name', schema: 'second_name', every: '30m' });
    // Without a start date the history of one year is read.
    expect(Date.parse(answer.startDate ?? '')).toBeLessThan(Date.now() - 364 * 86_400_000);
  });

  it('who starts a running connection again gets the running one, unchanged', async () => {
    const before = await status();
    const running = await client.workflow.getHandle(WORKFLOW).describe();
    const printed = await shell.read(
      `tctl workflow start --taskqueue closehaul --workflow_type closeConnection --workflow_id ${WORKFLOW} --input '{"name":"Stitch Closeio","every":"6h"}'`,
    );
    expect(printed).toContain(running.runId);
    expect(await status()).toEqual(before);
  });

  it('asks for a backfill from an earlier date, and the older rows arrive', async () => {
    await shell.read(
      `tctl workflow signal --workflow_id ${WORKFLOW} --name backfill --input '"${BACKFILL_FROM}"'`,
    );
    const answer = await untilStatus('the backfill is done', ({ backfills }) =>
      backfills.some(({ status: state }) => state === 'done'),
    );
    const inClose = await closeActivities(sandbox.url, BACKFILL_FROM, START_DATE);
    expect(inClose.length).toBeGreaterThan(50);
    expect(await loadedActivitiesBefore(database.pool, SCHEMA, START_DATE)).toEqual(inClose);
    expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
    expect(answer.backfills[0]?.records).toBeGreaterThan(inClose.length);
  });

  it('sends one request for a backfill twice with an id, and one job comes of it', async () => {
    const line = `tctl workflow signal --workflow_id ${WORKFLOW} --name backfill --input '{"from":"2025-12-01","to":"2026-01-15","streams":["activities"],"id":"h1"}'`;
    await shell.read(line);
    await shell.read(line);
    const answer = await untilStatus('job h1 is done', ({ backfills }) =>
      backfills.some(({ id, status: state }) => id === 'h1' && state === 'done'),
    );
    expect(answer.backfills.filter(({ id }) => id === 'h1')).toHaveLength(1);
    expect(answer.backfills).toHaveLength(2);
    expect(answer.rejectedRequests).toEqual([]);
    const { rows } = await database.pool.query(
      `SELECT run FROM closehaul.runs WHERE job = 'backfill/h1'`,
    );
    expect(rows).toHaveLength(1);
    expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
  });

  it('pauses, and a sync asked for meanwhile waits for the resume', async () => {
    const { syncsCompleted } = await status();
    await shell.read(`tctl workflow signal --workflow_id ${WORKFLOW} --name pause`);
    const paused = await untilStatus('paused', (answer) => answer.status === 'Paused');
    expect(paused.nextSyncAt).toBeNull();
    await shell.read(`tctl workflow signal --workflow_id ${WORKFLOW} --name syncNow`);
    expect((await status()).syncsCompleted).toBe(syncsCompleted);
    await shell.read(`tctl workflow signal --workflow_id ${WORKFLOW} --name resume`);
    const resumed = await untilStatus(
      'synced after the resume',
      (answer) => answer.status === 'Up to date' && answer.syncsCompleted > syncsCompleted,
    );
    expect(resumed.syncsCompleted).toBe(syncsCompleted + 1);
  });

  it('changes the frequency of a running connection', async () => {
    await shell.read(
      `tctl workflow signal --workflow_id ${WORKFLOW} --name set --input '{"every":"6h","anchor":"02:00"}'`,
    );
    const answer = await untilStatus('every 6 hours', ({ every }) => every === '6h');
    expect(answer.nextSyncAt).toMatch(/T(02|08|14|20):00:\d\d/);
    expect(answer.rejectedRequests).toEqual([]);
  });

  it('is told by the status what was wrong with a signal', async () => {
    const input: [string, string, RegExp][] = [
      ['backfill', '"some day"', /"from" must be an ISO date/],
      ['backfill', '{"from":"2999-01-01"}', /lies in the future/],
      ['backfill', '{"from":"2024-01-01","streams":["invoices"]}', /"streams" names one/],
      ['set', '{"every":"often"}', /"every" must be a number with s, m, h or d/],
      ['set', '17', /must be an object/],
    ];
    for (const [name, json] of input) {
      await shell.read(
        `tctl workflow signal --workflow_id ${WORKFLOW} --name ${name} --input '${json}'`,
      );
    }
    const answer = await untilStatus(
      'all five are rejected',
      ({ rejectedRequests }) => rejectedRequests.length >= input.length,
    );
    expect(answer.rejectedRequests).toHaveLength(input.length);
    for (const [index, [name, , reason]] of input.entries()) {
      const rejected = answer.rejectedRequests[index];
      expect(rejected?.request).toBe(name);
      expect(rejected?.reason).toMatch(reason);
    }
    expect(answer).toMatchObject({ status: 'Up to date', every: '6h' });
  });

  it('is told at once of input that is no JSON, and by the workflow of input without a name', async () => {
    const start = `tctl workflow start --taskqueue closehaul --workflow_type closeConnection --workflow_id bad`;
    const broken = await shell.run(`${start} --input '{"name":'`);
    expect(broken.exitCode).toBe(1);
    expect(broken.stdout + broken.stderr).toContain('not valid JSON');
    await shell.read(`${start} --input '{"nam":"Stitch Closeio"}'`);
    const shown = await until('the workflow failed', async () => {
      const printed = await shell.read('tctl workflow show --workflow_id bad');
      return printed.includes('WorkflowExecutionFailed') && printed;
    });
    expect(shown.replace(/\s+/g, ' ')).toContain('The input needs a "name"');
  });

  it('pastes the lines that "start" shows at its end', async () => {
    const lines = await shownLines();
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      // Without the shell's settings: a shown line says all by itself.
      const { exitCode, stdout } = await shell.run(
        `unset TEMPORAL_CLI_ADDRESS TEMPORAL_CLI_NAMESPACE; ${line}`,
      );
      expect(stdout, line).toMatch(/Query result:|Signal workflow succeeded/);
      expect(exitCode).toBe(0);
    }
    await untilStatus('the shown backfill runs', ({ backfills }) =>
      backfills.some(
        ({ from, status: state }) => from.startsWith('2024-01-01') && state === 'running',
      ),
    );
  });

  it('lists, describes and shows what runs', async () => {
    const listed = await shell.read('tctl wf list --open');
    expect(listed).toContain(WORKFLOW);
    expect(listed).toContain('whatever');
    const described = await shell.read(`tctl wf describe --workflow_id ${WORKFLOW}`);
    expect(described).toContain('"status": "Running"');
    expect(described).toContain('"name": "closeConnection"');
    const shown = await shell.read(`tctl wf show --workflow_id ${WORKFLOW}`);
    expect(shown).toContain('WorkflowExecutionStarted');
    expect(shown).toContain('WorkflowExecutionSignaled');
  });
});

describe('a connection that an operator ends with tctl', () => {
  it('keeps its tables when it is cancelled in the middle of a backfill', async () => {
    const before = await rowCount();
    await shell.read(`tctl workflow cancel --workflow_id ${WORKFLOW}`);
    await untilEnded('Canceled');
    expect(await rowCount()).toBeGreaterThanOrEqual(before);
    expect(await shell.read('tctl wf list --open')).not.toContain(`${WORKFLOW}/`);
    expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
  });

  it('goes on where it was when it is terminated and started again', async () => {
    const start = `tctl workflow start --taskqueue closehaul --workflow_type closeConnection --workflow_id ${WORKFLOW} --input '{"name":"Stitch Closeio"}'`;
    const before = await rowCount();
    await shell.read(start);
    await untilStatus('running again', ({ startDate }) => startDate !== null);
    await shell.read(`tctl workflow terminate --workflow_id ${WORKFLOW} --reason test`);
    await untilEnded('Terminated');
    await shell.read(start);
    const answer = await untilStatus('up to date again', isSettled);
    expect(answer.startDate).toBe(`${START_DATE}T00:00:00.000000Z`);
    expect(await rowCount()).toBe(before);
    expect(await doubledActivities(database.pool, SCHEMA)).toEqual([]);
  });

  it('has the API key in no history and no table', async () => {
    expect(await canarySightings(client, [database.pool])).toEqual([]);
    // What is written everywhere is found there, so the look is a real one.
    const places = await sightings(['Stitch Closeio'], client, [database.pool]);
    expect(places).toContain(`history of closeConnection ${WORKFLOW}`);
    expect(places).toContain('table closehaul.connections');
  });
});

async function rowCount(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM ${SCHEMA}.activities) + (SELECT count(*) FROM ${SCHEMA}.leads) AS count`,
  );
  return rows[0]?.count ?? 0;
}

function untilEnded(word: string): Promise<true> {
  return until(`the workflow is ${word}`, async () => {
    const described = await shell.read(`tctl wf describe --workflow_id ${WORKFLOW}`);
    return described.includes(`"status": "${word}"`);
  });
}
