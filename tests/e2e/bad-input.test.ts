import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { buildOnce, closehaul, endProcesses, type Finished } from '../support/e2e-process.js';
import { testDatabase, testSandbox, type TestDatabase } from '../support/stack.js';
import { removeHome, temporaryHome } from '../support/tools.js';

/** Each thing that can be wrong, with the exit code and the words that a person gets for it. */
const KEY = 'api_canary_bad_input_55d1';
const PASSWORD = 'canary-password-8c2e';

let folder = '';
let sandbox: Sandbox;
let database: TestDatabase;

beforeAll(async () => {
  await buildOnce();
  folder = temporaryHome();
  sandbox = await testSandbox({ leads: 3, activities: 3, apiKey: 'api_the_only_one' });
  database = await testDatabase();
});

afterEach(endProcesses);

afterAll(async () => {
  await sandbox.stop();
  await database.close();
  removeHome(folder);
});

async function run(
  words: readonly string[],
  variables: NodeJS.ProcessEnv = {},
  nodeArgs: readonly string[] = [],
): Promise<Finished> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables };
  const finished = await closehaul(words, { env, workingFolder: folder, nodeArgs }).finished;
  const text = finished.stdout + finished.stderr;
  // Whatever it was: no stack, no secret.
  expect(text).not.toMatch(/^\s+at /m);
  for (const secret of [KEY, PASSWORD]) expect(text).not.toContain(secret);
  return finished;
}

/** A database URL with parts changed. */
function urlWith(change: (url: URL) => void): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

describe('wrong usage ends with 2 and says what is wrong', () => {
  it.each([
    [['start', '--frequency', '1h'], {}, /unknown option '--frequency'/],
    [['strat'], {}, /unknown command 'strat'/],
    [['backfill', 'Stitch Closeio'], {}, /missing required argument 'date'/],
    [['start'], { CLOSE_API_KEY: '' }, /CLOSE_API_KEY is set but empty/],
    [
      ['start'],
      { CLOSE_API_KEY: `${KEY} and more` },
      /CLOSE_API_KEY does not hold a Close API key/,
    ],
    [['start'], { CLOSEHAUL_EVRY: '1h' }, /CLOSEHAUL_EVRY \(unknown\)/],
    [['start'], { CLOSE_API_URL: 'close' }, /CLOSE_API_URL/],
    [
      ['start'],
      { CLOSE_API_URL: 'close', LOG_LEVEL: 'loud', CLOSEHAUL_DATE: '2024-01-01' },
      /CLOSEHAUL_DATE \(unknown\), CLOSE_API_URL, LOG_LEVEL/,
    ],
    [['start'], { DATABASE_URL: `mysql://u:${PASSWORD}@h/d` }, /DATABASE_URL \(not a postgres/],
    [['start'], { CLOSE_API_KEY_FILE: '/nowhere/key' }, /CLOSE_API_KEY_FILE names cannot be read/],
    [
      ['start'],
      { CLOSE_API_KEY: KEY, CLOSE_API_URL: 'http://close.example/api/v1' },
      /base URL of connection stitch_closeio is not allowed/,
    ],
    [['start', '--start-date', 'last year'], {}, /start date is no ISO 8601 date/],
    [['start', '--start-date', '2999-01-01'], {}, /start date lies in the future/],
    [['start', '--every', 'often'], {}, /frequency cannot be read/],
    [['start'], { CLOSEHAUL_EVERY: '1s' }, /frequency cannot be read, or is below 10s/],
    [['start', '--anchor', '25:00'], {}, /anchor is no time of day/],
    [['start', '--layout', 'flat'], {}, /no such layout/],
    [['start', '--name', '—'], {}, /no letter or digit/],
    [['start', '--name', 'public'], {}, /reserved/],
    [['worker'], { DATABASE_URL: 'postgres://u@127.0.0.1:1/d' }, /no Close API key/],
  ])('closehaul %j with %j', async (words, variables, message) => {
    const { exitCode, stderr } = await run(words, variables);

    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });
});

describe('what cannot work ends with 1 and says what to do', () => {
  it('a key that Close rejects', async () => {
    const { exitCode, stderr } = await run(['start'], {
      CLOSE_API_KEY: KEY,
      CLOSE_API_URL: sandbox.url,
    });

    expect(stderr).toMatch(/Close rejected the API key .*HTTP 401/);
    expect(stderr).toMatch(/CLOSE_API_KEY/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ['a database that does not answer', (url: URL) => (url.port = '1'), /cannot be reached/],
    ['a wrong password', (url: URL) => (url.password = PASSWORD), /refused the login/],
    ['a database that is missing', (url: URL) => (url.pathname = '/nowhere'), /does not exist/],
  ])('%s', async (_what, change, message) => {
    const variables = {
      DATABASE_URL: urlWith(change),
      TEMPORAL_ADDRESS: inject('temporalAddress'),
    };
    const { exitCode, stderr } = await run(['start'], variables);

    expect(stderr).toMatch(message);
    expect(exitCode).toBe(1);
  });

  it('a role that may not create a schema', async () => {
    const role = `reader_${Math.random().toString(36).slice(2)}`;
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
    await admin.end();
    const url = urlWith((changed) => {
      changed.username = role;
      changed.password = PASSWORD;
    });

    const { exitCode, stderr } = await run(['start'], {
      DATABASE_URL: url,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
    });

    expect(stderr).toMatch(/lacks a right/);
    expect(stderr).toMatch(/GRANT CREATE ON DATABASE/);
    expect(exitCode).toBe(1);
  });

  it('a Temporal that does not answer', async () => {
    const variables = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: '127.0.0.1:1' };

    const commands = [['start'], ['create', 'Stitch Closeio'], ['status', 'Stitch Closeio']];
    // Each waits for the server as long as the others, so all at once.
    for (const finished of await Promise.all(commands.map((words) => run(words, variables)))) {
      const { exitCode, stderr } = finished;
      expect(stderr).toMatch(/No Temporal server answers at 127\.0\.0\.1:1/);
      expect(exitCode).toBe(1);
    }
  });

  it('a Temporal command line that is not there', async () => {
    const { exitCode, stderr } = await run(['start'], {
      DATABASE_URL: database.url,
      TEMPORAL_CLI_PATH: '/nowhere/temporal',
    });

    expect(stderr).toMatch(/TEMPORAL_CLI_PATH|temporal/i);
    expect(exitCode).toBe(1);
  });

  it('a home that cannot be written', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');

    const { exitCode, stderr } = await run(['start'], { CLOSEHAUL_HOME: join(file, 'home') });

    expect(stderr).toMatch(/cannot be|not a folder|not writable/i);
    expect(exitCode).toBe(1);
  });

  it('a connection that does not run', async () => {
    const { exitCode, stderr } = await run(['status', 'Nobody'], {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
    });

    expect(stderr).toMatch(/close-nobody does not run/);
    expect(exitCode).toBe(1);
  });

  it('a database that nobody named, where no start runs', async () => {
    const { exitCode, stderr } = await run(['runs', 'Stitch Closeio']);

    expect(stderr).toMatch(/No database is known/);
    expect(exitCode).toBe(1);
  });

  it('a sandbox port that is taken', async () => {
    const { exitCode, stderr } = await run(['sandbox', '--port', String(sandbox.port)]);

    expect(stderr).toMatch(/port is already taken/);
    expect(exitCode).toBe(1);
  });

  it('a Node that is too old', async () => {
    const fake = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"18.20.0"})`;

    const { exitCode, stderr } = await run(['start'], {}, ['--import', fake]);

    expect(stderr).toMatch(/Node 18\.20\.0 is too old; it needs 20\.19/);
    expect(exitCode).toBe(1);
  });
});
