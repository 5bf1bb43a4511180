/** Others read the same account into the same PostgreSQL; each run has a database of its own. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, startProgram, type Measured } from './processes.js';
import type { PeerPrograms } from './python-peers.js';
import { START_DATE } from './replicate.js';
import type { Database, Stack } from './stack.js';

const DLT_SCRIPT = fileURLToPath(new URL('../peers/dlt_close.py', import.meta.url));

export interface PeerRun extends Measured {
  /** Leads and activities in its tables. */
  readonly records: number;
}

export interface Peer {
  readonly name: string;
  run(stack: Stack, database: Database, closeUrl: string): Promise<PeerRun>;
}

export function peersOf(programs: PeerPrograms): readonly Peer[] {
  return [
    {
      name: 'tap-closeio | pipelinewise-target-postgres',
      run: (...where) => runTap(programs, ...where),
    },
    // Arrays stay JSON in both; with all de-nested, as dlt does by itself, it is slower still.
    { name: 'dlt', run: (...where) => runDlt(programs.dlt, ...where) },
  ];
}

async function runTap(
  { tap, target }: PeerPrograms,
  stack: Stack,
  database: Database,
  closeUrl: string,
): Promise<PeerRun> {
  const folder = mkdtempSync(join(stack.folder, 'tap-'));
  const tapFile = join(folder, 'tap.json');
  const targetFile = join(folder, 'target.json');
  const catalogFile = join(folder, 'catalog.json');
  const { hostname, port, username, password } = new URL(database.url);
  const place = { host: hostname, port: Number(port), user: username, password };
  writeFileSync(tapFile, JSON.stringify({ start_date: START_DATE, api_key: 'api_tap' }));
  writeFileSync(
    targetFile,
    JSON.stringify({ ...place, dbname: database.name, default_target_schema: 'tap' }),
  );
  const env = { ...process.env, TAP_CLOSEIO_URL: closeUrl };
  writeFileSync(catalogFile, await catalogOf(tap, tapFile, env));
  const reading = startProgram(tap, ['--config', tapFile, '--catalog', catalogFile], {
    ...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  const writing = startProgram(target, ['--config', targetFile], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const { stdout } = reading.child;
  const { stdin } = writing.child;
  if (stdout === null || stdin === null) throw new Error('there is no pipe');
  stdout.pipe(stdin);
  const measured = await measure([reading, writing]);
  return { ...measured, records: await countRecords(database, 'tap') };
}

/** Leads and activities alone are selected. */
async function catalogOf(tap: string, config: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { child, finished } = startProgram(tap, ['--config', config, '--discover'], {
    ...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  await finished;
  const catalog = JSON.parse(text) as {
    streams: { tap_stream_id: string; schema: Record<string, unknown> }[];
  };
  for (const { tap_stream_id: id, schema } of catalog.streams) {
    schema['selected'] = ['leads', 'activities'].includes(id);
  }
  return JSON.stringify(catalog);
}

async function runDlt(
  dlt: string,
  stack: Stack,
  database: Database,
  closeUrl: string,
): Promise<PeerRun> {
  const folder = mkdtempSync(join(stack.folder, 'dlt-'));
  mkdirSync(join(folder, 'home'));
  const env = {
    ...process.env,
    ...{ DATABASE_URL: database.url, CLOSE_API_URL: `${closeUrl}/`, CLOSE_API_KEY: 'api_dlt' },
    ...{ DLT_FOLDER: folder, DLT_DATA_DIR: join(folder, 'home'), DLT_NESTING: '0' },
    RUNTIME__DLTHUB_TELEMETRY: 'false',
    // As its page on performance has it: files small enough to be shared among two processes.
    ...{ NORMALIZE__WORKERS: '2', DATA_WRITER__FILE_MAX_ITEMS: '10000' },
  };
  const measured = await measure([startProgram(dlt, [DLT_SCRIPT], { env, cwd: folder })]);
  return { ...measured, records: await countRecords(database, 'dlt') };
}

async function countRecords({ pool }: Database, schema: string): Promise<number> {
  const { rows } = await pool.query<{ records: number }>(
    `SELECT (SELECT count(*) FROM "${schema}".leads) + (SELECT count(*) FROM "${schema}".activities) AS records`,
  );
  return rows[0]?.records ?? 0;
}
