/**
 * Records the histories that `tests/replay` replays: the workflows of a commit, HEAD or the one that
 * is named, run against a real Temporal, a real PostgreSQL and the sandbox through each of the
 * situations. To be run once a release is made, and at no other time: a history that the present
 * code has recorded proves nothing of what is running.
 *
 *   npm run record-histories [-- COMMIT]
 */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { LAST_SITUATIONS, SITUATIONS, START } from './situations.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'tests', 'histories');
/** So that a connection goes on in a fresh run after a few syncs, and the others do not. */
const EVENTS_MAX = 130;
const KEY = 'api_recorded';
const ends = [];

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

/** The built program of the commit, in a folder that is removed at the end. */
function checkOut(commit) {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'closehaul-record-')));
  const path = join(home, 'release');
  git('worktree', 'add', '--detach', path, commit);
  ends.push(() => {
    git('worktree', 'remove', '--force', path);
    rmSync(home, { recursive: true, force: true });
  });
  symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.js'], { cwd: path, stdio: 'inherit' });
  return { home, path };
}

/** The servers and one worker of the release. */
async function startRelease({ home, path }) {
  const of = (file) => import(pathToFileURL(join(path, 'dist', file)).href);
  const [cli, temporals, postgreses, migrations] = await Promise.all(
    ['temporal-cli', 'temporal-server', 'postgres']
      .map((name) => of(`local/${name}.js`))
      .concat(of('postgres/migrate.js')),
  );
  const { env } = process;
  const cacheFolder = join(env.XDG_CACHE_HOME ?? join(env.HOME ?? '', '.cache'), 'closehaul');
  const { path: cliPath } = await cli.resolveTemporalCli({
    ...{ cliPath: env.TEMPORAL_CLI_PATH, cacheFolder, env },
  });
  const temporal = await temporals.startTemporal({
    ...{ home: { path: home }, cliPath },
    extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${EVENTS_MAX}`],
  });
  ends.push(() => temporal.stop());
  const postgres = await postgreses.startPostgres({ home: { path: home }, env });
  ends.push(() => postgres.stop());
  await migrations.createDatabase(postgres.adminUrl, 'recorded');
  const databaseUrl = new URL(postgres.adminUrl);
  databaseUrl.pathname = '/recorded';

  const { startSandbox } = await of('sandbox/sandbox.js');
  const sandbox = await startSandbox({
    ...{ seed: 'histories', leads: 250, activities: 1_200, apiKey: KEY, rateLimit: 0 },
    ...{ from: '2026-05-01T00:00:00Z', until: '2026-11-01T00:00:00Z', latencyMs: 25 },
  });
  ends.push(() => sandbox.stop());
  const keyFiles = writeKeys(home);
  const config = (await of('config.js')).readConfig({
    ...{ PATH: env.PATH, HOME: env.HOME, DATABASE_URL: databaseUrl.href, ...keyFiles.variables },
    ...{ CLOSE_API_URL: sandbox.url, TEMPORAL_ADDRESS: temporal.address },
  });
  const { createLog, installRuntime } = await of('log.js');
  const log = createLog('silent');
  installRuntime(log, undefined);
  const { startWorker } = await of('worker.js');
  const worker = await startWorker({ config, databaseUrl: databaseUrl.href, log });
  ends.push(() => worker.stop());
  const { Client, Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ address: temporal.address });
  ends.push(() => connection.close());
  return { client: new Client({ connection }), sandbox, setKey: keyFiles.setKey };
}

function schemaOf(situation) {
  return situation.replaceAll(' ', '_');
}

/** A key of its own for each connection, so that Close can refuse one of them. */
function writeKeys(home) {
  const variables = {};
  const setKey = (schema, key) => writeFileSync(join(home, `${schema}.key`), key);
  for (const situation of Object.keys({ ...SITUATIONS, ...LAST_SITUATIONS })) {
    const schema = schemaOf(situation);
    setKey(schema, KEY);
    variables[`CLOSE_API_KEY_${schema.toUpperCase()}_FILE`] = join(home, `${schema}.key`);
  }
  return { variables, setKey };
}

/** What a situation may do. */
function lifeOf(situation, { client, sandbox, setKey }) {
  const schema = schemaOf(situation);
  const id = `close-${schema}`;
  const until = async (handle, isSo) => {
    for (const endMs = Date.now() + 90_000; Date.now() < endMs;) {
      const status = await handle.query('status').catch(() => undefined);
      if (status !== undefined && isSo(status)) return status;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${situation}: what was waited for did not come`);
  };
  return {
    ...{ client, id, name: situation, until, setFaults: sandbox.setFaults },
    start: (more = {}) =>
      client.workflow.start('closeConnection', {
        ...{ taskQueue: 'closehaul', workflowId: id },
        args: [{ name: situation, ...START, ...more }],
      }),
    settled: (handle) =>
      until(handle, (status) => status.status === 'Up to date' && status.syncsCompleted > 0),
    runs: async () => (await client.workflow.count(`WorkflowId="${id}"`)).count,
    refuseKey: () => setKey(schema, 'api_refused'),
    acceptKey: () => setKey(schema, KEY),
  };
}

/** Leaves out what says nothing of the workflow, but of the machine on which it ran. */
function withoutMachine(key, value) {
  if (key === 'identity' || key === 'stackTrace') return undefined;
  // A worker's own task queue is called like its host and process.
  return typeof value === 'string' ? value.replace(/^closehaul@.*/, 'closehaul@recorded') : value;
}

/** Writes the histories of the situation: the connection's and its syncs', all their runs. */
async function write(situation, commit, client) {
  const schema = schemaOf(situation);
  let count = 0;
  const query = `WorkflowId STARTS_WITH "close-${schema}"`;
  for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
    // Names that begin alike: `paused` and `paused and resumed`.
    if (!/^[/-]|^$/.test(workflowId.slice(`close-${schema}`.length))) continue;
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const clean = JSON.parse(historyToJSON(history), withoutMachine);
    const recorded = { commit, situation, workflowId, runId, type, history: clean };
    count += 1;
    const file = `${schema}-${count}-${type}.json`;
    writeFileSync(join(folder, file), `${JSON.stringify(recorded)}\n`);
  }
  if (count === 0) throw new Error(`${situation}: no history`);
  console.log(`${situation}: ${count}`);
}

async function record(commit) {
  const release = await startRelease(checkOut(commit));
  const live = async ([situation, run]) => {
    await run(lifeOf(situation, release));
    await write(situation, commit, release.client);
  };
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) rmSync(join(folder, file));
  await Promise.all(Object.entries(SITUATIONS).map(live));
  for (const each of Object.entries(LAST_SITUATIONS)) await live(each);
}

const startedMs = Date.now();
try {
  const commit = git('rev-parse', process.argv[2] ?? 'HEAD');
  await record(commit);
  console.log(`Recorded ${commit} in ${((Date.now() - startedMs) / 1000).toFixed(0)} s.`);
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit();
