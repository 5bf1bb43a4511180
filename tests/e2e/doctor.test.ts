import type { Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { check } from '../../src/commands/check.js';
import { doctor } from '../../src/commands/doctor.js';
import type { Finding } from '../../src/commands/findings.js';
import { status } from '../../src/commands/operate.js';
import type { Config } from '../../src/config.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { ensureTctl } from '../../src/local/tctl.js';
import { VERSION } from '../../src/version.js';
import type { RunningWorker } from '../../src/worker.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import { buildOnce, runClosehaul } from '../support/e2e-process.js';
import { openShell } from '../support/e2e-shell.js';
import {
  TEST_KEY,
  testClient,
  testConfig,
  testDatabase,
  testEnv,
  testNamespace,
  testSandbox,
  testWorker,
  until,
  type TestDatabase,
} from '../support/stack.js';
import { toolCacheFolder } from '../support/tools.js';

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;

beforeAll(async () => {
  await buildOnce();
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 20, activities: 100 });
});

afterAll(async () => {
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
});

afterEach(() => {
  sandbox.setFaults([]);
  sandbox.setApiKey(null);
});

type Verdicts = Readonly<Record<string, Finding>>;

interface Told {
  readonly isGood: boolean;
  readonly found: Verdicts;
}

async function tell(
  look: (output: { isJson: boolean; print: (line: string) => void }) => Promise<boolean>,
): Promise<Told> {
  let text = '';
  const isGood = await look({ isJson: true, print: (line) => (text += line) });
  expect(text).not.toContain(TEST_KEY);
  const findings = JSON.parse(text) as readonly Finding[];
  return { isGood, found: Object.fromEntries(findings.map((found) => [found.what, found])) };
}

function config(changes: Partial<Config> = {}): Config {
  return { ...testConfig(database.url, sandbox.url), ...changes };
}

const checked = (changes?: Partial<Config>): Promise<Told> =>
  tell((output) => check(config(changes), 'Examined', output));
const examined = (isToRegister = false, changes?: Partial<Config>): Promise<Told> =>
  tell((output) => doctor(config(changes), 'Examined', isToRegister, output));

describe('closehaul check', () => {
  it('is content with a key that reads everything, and says so of each part', async () => {
    const { isGood, found } = await checked();

    expect(isGood).toBe(true);
    expect(Object.keys(found)).toEqual(['Close', 'Streams', 'PostgreSQL', 'Temporal', 'Clock']);
    expect(Object.values(found).map(({ verdict }) => verdict)).toEqual(Array(5).fill('ok'));
    expect(found['Streams']?.says).toBe('the key reads 33 of 33 streams');
    expect(found['Clock']?.says).toBe('as that of Close and PostgreSQL');
  });

  it('names the streams that the key may not read, and what is lost without them', async () => {
    sandbox.setFaults(['forbidden=/event/', 'forbidden=/webhook/']);
    const { isGood, found } = await checked();

    expect(isGood).toBe(true);
    expect(found['Streams']?.verdict).toBe('warning');
    expect(found['Streams']?.says).toMatch(/reads 31 of 33 streams; not: .*webhooks .*HTTP 403/);
    expect(found['Streams']?.says).toMatch(/event_log .*Without the event log no delete is seen/);
  });

  it('says of a refused key what to do, and asks nothing more of Close', async () => {
    sandbox.setApiKey('api_another');
    const before = sandbox.stats().requests;
    const { isGood, found } = await checked();

    expect(isGood).toBe(false);
    expect(found['Close']).toMatchObject({ ok: false, verdict: 'failed' });
    expect(found['Close']?.says).toMatch(/rejected the API key .*Put a valid key into/);
    expect(found['Streams']).toBeUndefined();
    expect(found['PostgreSQL']?.ok).toBe(true);
    // The key once, and the clock without it.
    expect(sandbox.stats().requests - before).toBeLessThanOrEqual(2);
  });

  it('says that the clock is wrong, by how much, and what that costs', async () => {
    const realNow = Date.now;
    Date.now = () => realNow() - 600_000;
    const { isGood, found } = await checked().finally(() => (Date.now = realNow));

    expect(isGood).toBe(false);
    expect(found['Clock']?.says).toMatch(/is (599|600|601) s behind that of Close\. Let it be set/);
  });

  it('says of each server that is away what to do', async () => {
    const nowhere = '127.0.0.1:1';
    const { temporal } = config();
    const away = { ...temporal, connectionOptions: { address: nowhere } };
    const url = new URL(database.url);
    url.port = '1';
    const broken = testConfig(url.href, sandbox.url);
    const { isGood, found } = await checked({ ...broken, temporal: away });

    expect(isGood).toBe(false);
    expect(found['Temporal']?.says).toContain(`No Temporal server answers at ${nowhere}. Start it`);
    expect(found['PostgreSQL']?.says).toMatch(/cannot be reached.*DATABASE_URL/);
  });
});

describe('closehaul doctor', () => {
  it('before anything runs: what lacks, and how to come by it', async () => {
    const { isGood, found } = await examined();

    expect(isGood).toBe(false);
    expect(found['Closehaul']?.says).toContain(`version ${VERSION}, Node ${process.versions.node}`);
    expect(found['Namespace']?.says).toMatch(/^doctor, on a server of version \d+\.\d+/);
    expect(found['Workers']?.says).toMatch(
      /^No worker polls task queue closehaul in namespace doctor\. Start one/,
    );
    expect(found['Search']).toMatchObject({ verdict: 'warning' });
    expect(found['Search']?.says).toMatch(
      /CloseState.*not registered; "closehaul doctor --register"/,
    );
    expect(found['Tables']?.says).toMatch(
      /lacks 0001_state.*the next worker that starts makes them/,
    );
  });

  it('registers the search attributes once, and is content from then on', async () => {
    const first = await examined(true);
    expect(first.found['Search']?.says).toMatch(
      /^registered CloseConnection, CloseState, CloseSyncedThrough\..*resumed/,
    );
    const second = await examined(true);
    expect(second.found['Search']?.says).toMatch(/^were registered already/);
    const { found } = await examined();
    expect(found['Search']).toMatchObject({ verdict: 'ok' });
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
      namespace: testNamespace(),
    });
    expect(Object.keys(customAttributes ?? {})).toEqual(
      expect.arrayContaining(['CloseConnection', 'CloseState', 'CloseSyncedThrough']),
    );
  });

  it('says that a namespace is missing, and how to make it', async () => {
    const { temporal } = config();
    const { found } = await examined(false, { temporal: { ...temporal, namespace: 'nobodys' } });

    expect(found['Namespace']?.says).toMatch(
      /^Temporal has no namespace nobodys\. Make it with "temporal operator namespace create --namespace nobodys"/,
    );
  });

  it('with a worker and a connection: all is well, and the trouble of each connection is told', async () => {
    worker = await testWorker(database.url, sandbox.url);
    const handle = await startConnection(client, { name: 'Examined' });
    await untilStatus(handle, 'up to date', isSettled);
    const { isGood, found } = await examined();

    expect(isGood).toBe(true);
    expect(Object.values(found).filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    // What was registered can be searched by, also with the oldest of the tools.
    const tctl = await ensureTctl({ cacheFolder: toolCacheFolder(), env: process.env });
    const shell = openShell({ tctl });
    const line = `tctl wf list --query 'CloseConnection="Examined" AND CloseState="Up to date"'`;
    await until('tctl finds it', async () => {
      return (await shell.read(line)).includes('closeConnection');
    });
    shell.close();
    expect(found['Workers']?.says).toMatch(
      new RegExp(`^1 in the last minutes: closehaul-${VERSION}@`),
    );
    expect(found['"Examined"']?.says).toMatch(/^Up to date, complete up to 20/);

    const { exitCode, stdout } = await runClosehaul(['doctor', '--name', 'Examined'], {
      env: testEnv(database.url, sandbox.url),
    });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok {7}Closehaul {3}version/m);
    await handle.terminate();
    const ended = await examined();
    expect(ended.found['"Examined"']?.says).toMatch(
      /does not run\. Start it with "closehaul create/,
    );
    // Somebody may have meant it.
    expect(ended.isGood).toBe(true);
    expect(ended.found['"Examined"']?.verdict).toBe('warning');

    const beside = await startConnection(client, { name: 'Beside', streams: ['users'] });
    await untilStatus(beside, 'up to date', isSettled);
    let text = '';
    const output = { isJson: true, print: (line: string) => void (text += line) };
    await status(config(), undefined, false, output);
    expect(JSON.parse(text)).toMatchObject([
      { name: 'Beside', status: 'Up to date' },
      {
        name: 'Examined',
        status: null,
        problem: expect.stringContaining('does not run') as string,
      },
    ]);
    await beside.terminate();
  });
});
