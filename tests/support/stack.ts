import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';
import { expect, inject } from 'vitest';
import { readConfig, type Config } from '../../src/config.js';
import { createLog, installRuntime } from '../../src/log.js';
import { createDatabase } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { startWorker, type RunningWorker } from '../../src/worker.js';
import type { Probe } from '../../src/activities/deps.js';
import { namespaceOf } from './global-setup.js';

/** What a test gets from the run's servers; whatever it opens here it closes in `close`. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

export async function testDatabase(): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = inject('postgresAdminUrl');
  await createDatabase(admin, name);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  const pool = createPool({ url: url.href, sizeMax: 4, applicationName: 'closehaul tests' });
  return { url: url.href, pool, close: () => pool.end() };
}

/** The Temporal namespace of the test file that calls. */
export function testNamespace(): string {
  const { testPath } = expect.getState();
  if (testPath === undefined) throw new Error('testNamespace is for tests and their hooks');
  return namespaceOf(testPath);
}

export async function testClient(): Promise<Client> {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  return new Client({ connection, namespace: testNamespace() });
}

/** A configuration as a user would have it, for processes and for workers inside the test. */
export function testEnv(databaseUrl: string, closeUrl: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DATABASE_URL: databaseUrl,
    CLOSE_API_URL: closeUrl,
    CLOSE_API_KEY: TEST_KEY,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TEMPORAL_NAMESPACE: testNamespace(),
  };
}

/** A canary: nothing that a test run writes may hold it. */
export const TEST_KEY = 'api_canary_7f3d2c9b51e84a60';

export function testConfig(databaseUrl: string, closeUrl: string): Config {
  return readConfig(testEnv(databaseUrl, closeUrl));
}

let hasRuntime = false;

export async function testWorker(
  databaseUrl: string,
  closeUrl: string,
  probe?: Probe,
): Promise<RunningWorker> {
  const log = createLog('silent');
  if (!hasRuntime) installRuntime(log, undefined);
  hasRuntime = true;
  return startWorker({
    config: testConfig(databaseUrl, closeUrl),
    databaseUrl,
    log,
    ...(probe !== undefined && { probe }),
  });
}

/** A sandbox small enough to be read in a second, the same in each run. */
export function testSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  return startSandbox({
    seed: 'tests',
    leads: 120,
    activities: 1_500,
    until: '2026-11-01T00:00:00Z',
    rateLimit: 0,
    ...options,
  });
}

/** Waits until `look` gives something; fails after the time with what it waited for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
