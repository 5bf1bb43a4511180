import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findPostgres } from '../../src/local/postgres.js';
import { isAlive, processCommand } from '../../src/local/processes.js';
import {
  buildOnce,
  childrenOf,
  closehaul,
  endProcesses,
  runClosehaul,
} from '../support/e2e-process.js';
import { until } from '../support/stack.js';
import { removeHome, temporalCliPath, temporaryHome } from '../support/tools.js';

/** What `npm start` does for somebody who has nothing: no key, no database, no Temporal. */
const TIMEOUT_MS = 180_000;
/** Written once the sandbox's year of history and the first incremental sync are there. */
const REPLICATING = /Replicating every 30m/;

let folder = '';
let env: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  await buildOnce();
  folder = temporaryHome();
  env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    TEMPORAL_CLI_PATH: await temporalCliPath(),
  };
}, TIMEOUT_MS);

afterEach(endProcesses);

afterAll(async () => {
  await runClosehaul(['stop'], { env, workingFolder: folder });
  const home = join(folder, '.closehaul');
  if (existsSync(home)) removeHome(home);
  removeHome(folder);
});

function start(...args: readonly string[]) {
  return closehaul(['start', ...args], { env, workingFolder: folder });
}

/** `│ leads__contacts │ 4,151 │` → ['leads__contacts', 4151] */
function shownCounts(output: string): Map<string, number> {
  const lines = [...output.matchAll(/^│ (\S.*?) +│ +([\d,]+) │$/gm)];
  return new Map(
    lines.map(([, table = '', rows = '']) => [table, Number(rows.replaceAll(',', ''))]),
  );
}

/** The rows of the tables in the embedded database that runs now, counted by us. */
async function countedNow(tables: Iterable<string>): Promise<Map<string, number>> {
  const postgres = await findPostgres({ path: join(folder, '.closehaul') });
  const client = new pg.Client({ connectionString: postgres?.url });
  await client.connect();
  const counts = new Map<string, number>();
  for (const table of tables) {
    const name = pg.escapeIdentifier(table);
    const { rows } = await client.query<{ count: string }>(
      `SELECT count(*) FROM stitch_closeio.${name}`,
    );
    counts.set(table, Number(rows[0]?.count));
  }
  await client.end();
  return counts;
}

/** Process ids of the embedded servers, from their state files. */
function serversRunning(): readonly string[] {
  const running: string[] = [];
  const temporal = readJson<{ process: { pid: number; startTime: string } | null }>(
    'temporal.json',
  );
  if (temporal?.process && isAlive(temporal.process)) running.push('temporal');
  if (existsSync(join(folder, '.closehaul', 'postgres', 'data', 'postmaster.pid'))) {
    running.push('postgres');
  }
  return running;
}

function readJson<T>(name: string): T | undefined {
  const file = join(folder, '.closehaul', name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}

describe('closehaul start, with nothing but this machine', () => {
  let first = new Map<string, number>();

  it(
    'loads the sandbox, tells where everything is, and ends with 0 when asked for once',
    async () => {
      const { exitCode, stdout, stderr } = await start('--once').finished;

      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/SANDBOX/);
      expect(stdout).toMatch(/Historical sync: .*records · .*rows · .*records\/s/);
      expect(stdout).toMatch(/psql 'postgres:\/\//);
      expect(stdout).toMatch(/Web UI +http:\/\/127\.0\.0\.1:\d+\/namespaces\/default/);
      expect(stdout).toMatch(/tctl .*workflow query .*--query_type status/);
      expect(stdout).toMatch(/temporal workflow signal/);
      first = shownCounts(stdout);
      expect(first.get('leads')).toBeGreaterThanOrEqual(2_000);
      expect(first.get('activities')).toBeGreaterThanOrEqual(30_000);
      expect(first.get('leads__opportunities')).toBeGreaterThan(0);
      expect(first.get('leads__contacts__emails')).toBeGreaterThan(0);
      expect(first.get('_sdc_rejected')).toBe(0);
      expect(serversRunning()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'goes on where it was at the second start, and refuses a third beside it',
    async () => {
      const running = start();
      await until('it replicates', () => Promise.resolve(REPLICATING.test(running.output())));

      const beside = await start().finished;
      expect(beside.exitCode).toBe(1);
      expect(beside.stderr).toMatch(new RegExp(`\\b${running.pid}\\b`));

      const status = await runClosehaul(['status', '--json'], { env, workingFolder: folder });
      expect(status.exitCode).toBe(0);
      expect(JSON.parse(status.stdout)).toMatchObject([{ status: 'Up to date', problem: null }]);

      const second = shownCounts(running.output());
      expect(await countedNow(second.keys())).toEqual(second);
      expect([...second.keys()]).toEqual(expect.arrayContaining([...first.keys()]));
      for (const table of ['leads', 'activities']) {
        expect(second.get(table)).toBeGreaterThanOrEqual(first.get(table) ?? 0);
      }

      const children = childrenOf(running.pid);
      // The sandbox, PostgreSQL and Temporal.
      expect(children.length).toBeGreaterThanOrEqual(3);
      running.signal('SIGINT');
      const { exitCode, stdout } = await running.finished;
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Resuming workflow close-stitch_closeio/);
      expect(stdout).not.toMatch(/First rows/);
      expect(children.filter(isAlive)).toEqual([]);
      expect(serversRunning()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'is found again by the next start after it was killed with everything',
    async () => {
      const killed = start();
      await until('it replicates', () => Promise.resolve(REPLICATING.test(killed.output())));
      const sandbox = childrenOf(killed.pid).filter(({ pid }) =>
        processCommand(pid).includes('sandbox'),
      );
      expect(sandbox).toHaveLength(1);
      await killed.kill();
      expect(serversRunning()).toEqual(['temporal', 'postgres']);
      await until('the sandbox ends by itself', () => Promise.resolve(!sandbox.some(isAlive)));

      const { exitCode, stdout, stderr } = await start('--once').finished;

      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/Resuming/);
      expect(serversRunning()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'leaves nothing running when Ctrl-C comes before it is up',
    async () => {
      const early = start();
      await until('it says its first line', () =>
        Promise.resolve(early.output().includes('SANDBOX')),
      );
      early.signal('SIGINT');
      await early.finished;

      expect(serversRunning()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
