import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusAnswer } from '../../src/contract.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { canarySightings } from '../support/e2e-canary.js';
import { endProcesses } from '../support/e2e-process.js';
import { closeActivities, loadedActivitiesBefore } from '../support/e2e-older.js';
import { openShell, type Shell } from '../support/e2e-shell.js';
import {
  testClient,
  testDatabase,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { temporalCliPath } from '../support/tools.js';

const WORKFLOW = 'close-stitch_closeio';
const SCHEMA = 'stitch_closeio';
const START_DATE = '2026-07-23';

let shell: Shell;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;

beforeAll(async () => {
  shell = openShell({ temporal: await temporalCliPath() });
  database = await testDatabase();
  sandbox = await testSandbox({ from: '2024-11-01T00:00:00Z', activities: 600 });
  worker = await testWorker(database.url, sandbox.url);
});

afterAll(async () => {
  await endProcesses();
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  shell?.close();
});

async function status(): Promise<StatusAnswer> {
  const line = `temporal workflow query --workflow-id ${WORKFLOW} --name status --output json`;
  const { queryResult } = JSON.parse(await shell.read(line)) as { queryResult: [StatusAnswer] };
  return queryResult[0];
}

function untilStatus(what: string, isSo: (answer: StatusAnswer) => boolean): Promise<StatusAnswer> {
  return until(what, async () => {
    const answer = await status().catch(() => undefined);
    return answer !== undefined && isSo(answer) && answer;
  });
}

describe('an operator with temporal', () => {
  it('starts a connection, and its tables fill', async () => {
    await shell.read(
      `temporal workflow start --task-queue closehaul --type closeConnection --workflow-id ${WORKFLOW} --input '{"name":"Stitch Closeio","startDate":"${START_DATE}"}'`,
    );

    const answer = await untilStatus('up to date', (each) => each.syncsCompleted > 0);

    expect(answer).toMatchObject({ schema: SCHEMA, historicalSync: 'done', problem: null });
    expect(await loadedActivitiesBefore(database.pool, SCHEMA, START_DATE)).toEqual([]);
  });

  it('signals a backfill with a bare date, and the older rows arrive', async () => {
    const from = '2026-05-01';
    await shell.read(
      `temporal workflow signal --workflow-id ${WORKFLOW} --name backfill --input '"${from}"'`,
    );
    await untilStatus('the backfill is done', ({ backfills }) => backfills[0]?.status === 'done');

    expect(await loadedActivitiesBefore(database.pool, SCHEMA, START_DATE)).toEqual(
      await closeActivities(sandbox.url, from, START_DATE),
    );
  });

  it('asks for one by update, and is answered with the job', async () => {
    const printed = await shell.read(
      `temporal workflow update execute --workflow-id ${WORKFLOW} --name requestBackfill --input '{"from":"2026-03-01","to":"2026-05-01","id":"spring"}' --output json`,
    );

    expect(JSON.parse(printed)).toMatchObject({ result: { jobId: 'spring', queuedBehind: 0 } });
    await untilStatus('job spring is done', ({ backfills }) =>
      backfills.some(({ id, status: state }) => id === 'spring' && state === 'done'),
    );
  });

  it('is refused by the update, with the reason, what a signal would record', async () => {
    const { exitCode, stderr, stdout } = await shell.run(
      `temporal workflow update execute --workflow-id ${WORKFLOW} --name requestBackfill --input '"2999-01-01"'`,
    );

    expect(exitCode).not.toBe(0);
    expect(stderr + stdout).toContain('lies in the future');
    // This program prints an empty list as null.
    expect((await status()).rejectedRequests ?? []).toEqual([]);
  });

  it('sees what each signal, query and update is for', async () => {
    const printed = await shell.read(
      `temporal workflow metadata --workflow-id ${WORKFLOW} --output json`,
    );

    for (const name of ['backfill', 'pause', 'resume', 'syncNow', 'set', 'status']) {
      expect(printed).toContain(`"${name}"`);
    }
    expect(printed).toContain('Finishes the page in hand, then stops until resume.');
    expect(printed).toContain('**Up to date**');
    expect(printed).toMatch(/\| leads \| [\d,]+ \|/);
  });

  it('triggers an incremental sync that stands alone, by name', async () => {
    const line = `temporal workflow execute --task-queue closehaul --type incrementalSync --workflow-id by-hand --input '"Stitch Closeio"' --output json`;

    expect(JSON.parse(await shell.read(line))).toMatchObject({ result: { outcome: 'complete' } });
  });

  it('cannot run a connection twice under two workflow ids', async () => {
    const { exitCode, stdout, stderr } = await shell.run(
      `temporal workflow execute --task-queue closehaul --type closeConnection --workflow-id second --input '"Stitch Closeio"'`,
    );

    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toContain(`already run by workflow ${WORKFLOW}`);
  });

  it('finds the API key in no history and no table', async () => {
    const client = await testClient();
    const found = await canarySightings(client, [database.pool]);
    await client.connection.close();

    expect(found).toEqual([]);
  });
});
