import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import { SIGNALS } from '../../src/contract.js';
import { createLog, installRuntime } from '../../src/log.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { startWorker, type RunningWorker } from '../../src/worker.js';
import {
  isSettled,
  isSettledSince,
  startConnection,
  untilStatus,
} from '../support/e2e-connection.js';
import {
  testClient,
  testDatabase,
  testEnv,
  testSandbox,
  type TestDatabase,
} from '../support/stack.js';

const OLD_KEY = 'api_old_key';
const NEW_KEY = 'api_new_key';
const folder = mkdtempSync(join(tmpdir(), 'closehaul-key-'));
const keyFile = join(folder, 'key');

let client: Client;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker | undefined;

beforeAll(async () => {
  writeFileSync(keyFile, `${OLD_KEY}\n`);
  client = await testClient();
  database = await testDatabase();
  sandbox = await testSandbox({ leads: 20, activities: 100 });
  sandbox.setApiKey(OLD_KEY);
  const env = { ...testEnv(database.url, sandbox.url), CLOSE_API_KEY: undefined };
  const log = createLog('silent');
  installRuntime(log, undefined);
  const config = readConfig({ ...env, CLOSE_API_KEY_FILE: keyFile });
  worker = await startWorker({ config, databaseUrl: database.url, log });
});

afterAll(async () => {
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  await client?.connection.close();
  rmSync(folder, { recursive: true, force: true });
});

it('a key that was changed in its file is taken up by resume, with the same worker', async () => {
  const handle = await startConnection(client, { name: 'Rotated' });
  await untilStatus(handle, 'up to date', isSettled);
  sandbox.setApiKey(NEW_KEY);
  await handle.signal(SIGNALS.syncNow);
  const blocked = await untilStatus(handle, 'blocked', ({ status }) => status === 'Blocked');
  expect(blocked.problem).toMatch(/Put a valid key into CLOSE_API_KEY/);
  // Resumed with the old key it is blocked again, after one more request.
  const { requests } = sandbox.stats();
  await handle.signal(SIGNALS.resume);
  await untilStatus(handle, 'asked again', () => sandbox.stats().requests > requests);
  await untilStatus(handle, 'blocked again', ({ status }) => status === 'Blocked');
  expect(sandbox.stats().requests - requests).toBe(1);

  writeFileSync(keyFile, `${NEW_KEY}\n`);
  await handle.signal(SIGNALS.resume);

  const freed = await untilStatus(handle, 'synced with the new key', isSettledSince(blocked));
  expect(freed.problem).toBeNull();
  await handle.terminate();
});
