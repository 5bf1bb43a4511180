import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { schema as schemaCommand, type SchemaFlags } from '../../src/commands/schema.js';
import { readConfig } from '../../src/config.js';
import type { LayoutName } from '../../src/core/layout.js';
import { ensureDbt } from '../../src/local/dbt.js';
import { run, type Finished } from '../../src/local/processes.js';
import { testDatabase, type TestDatabase } from '../support/stack.js';
import { removeHome, temporaryHome, toolCacheFolder } from '../support/tools.js';
import { documentedWarehouse } from './documented-warehouse.js';
import { at } from './warehouse.js';

/** The real dbt reads what `closehaul schema --dbt` writes, against a real database of all layouts. */
const SCHEMAS = {
  stitch_closeio: 'stitch',
  stitch_later: 'stitch-v2',
  close_native: 'jsonb',
} as const;
const INSTALL_TIMEOUT_MS = 10 * 60 * 1000;
const DBT_TIMEOUT_MS = 2 * 60 * 1000;

/** Names that mean something to YAML or to Jinja. */
const ODD = [
  '{{ this }}',
  '{% raw %}',
  '{# no #}',
  '{{{',
  'yes',
  '1:30',
  '# a',
  ': b',
  "o'clock",
  '%',
];

/** Names of tables; the last two are the same when the signs are taken out of them. */
const ODD_TABLES = ['{{ this }}', 'Größe', '{{{', '%'];

let dbt: string;
let project: string;
let database: TestDatabase;

beforeAll(async () => {
  dbt = await ensureDbt({ cacheFolder: toolCacheFolder(), env: process.env });
  project = temporaryHome();
  database = await testDatabase();
  mkdirSync(join(project, 'models'));
  writeFileSync(join(project, 'dbt_project.yml'), JSON.stringify(PROJECT));
  writeFileSync(join(project, 'profiles.yml'), JSON.stringify(profile(database.url)));
  for (const [name, layout] of Object.entries(SCHEMAS)) await addSource(name, layout);
  // As after a sync; the rows themselves may be as old as they like.
  await database.pool.query('UPDATE closehaul.streams SET last_success_at = now()');
}, INSTALL_TIMEOUT_MS);

afterAll(async () => {
  await database?.close();
  if (project !== undefined) removeHome(project);
});

const PROJECT = {
  ...{ name: 'closehaul_check', version: '1.0.0', 'config-version': 2, profile: 'warehouse' },
  flags: { send_anonymous_usage_stats: false },
};

/** JSON is YAML too. */
function profile(databaseUrl: string): unknown {
  const { hostname: host, port, username: user, password, pathname } = new URL(databaseUrl);
  const target = { type: 'postgres', host, port: Number(port), user, threads: 4 };
  const secret = { password: decodeURIComponent(password), dbname: pathname.slice(1) };
  return {
    warehouse: { target: 'test', outputs: { test: { ...target, ...secret, schema: 'models' } } },
  };
}

async function addSource(name: string, layout: LayoutName): Promise<void> {
  const warehouse = await documentedWarehouse(layout, { database, schema: name });
  const [leads] = warehouse.streams;
  if (leads === undefined) throw new Error('there is no stream');
  const odd = Object.fromEntries(ODD.map((field) => [field, 1] as const));
  const many = ODD_TABLES.map((field) => [`many ${field}`, ['x']] as const);
  const custom = { ...odd, ...Object.fromEntries(many) };
  await warehouse.load(leads, [
    { id: 'lead_odd', date_updated: at(1), custom, opportunities: [odd] },
  ]);
  writeFileSync(join(project, 'models', `${name}.yml`), await command(name));
}

async function command(name: string, flags: Partial<SchemaFlags> = {}): Promise<string> {
  const lines: string[] = [];
  const output = { isJson: false, print: (line: string) => lines.push(line) };
  const all = { count: false, dbt: true, warnAfter: '12h', errorAfter: '3d', ...flags };
  await schemaCommand(readConfig({ DATABASE_URL: database.url }), name, all, output);
  return lines.join('\n');
}

function runDbt(...args: string[]): Promise<Finished> {
  return run(dbt, ['--no-use-colors', ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DBT_PROFILES_DIR: project },
    timeoutMs: DBT_TIMEOUT_MS,
    workingFolder: project,
  });
}

function readTarget<T>(file: string): T {
  return JSON.parse(readFileSync(join(project, 'target', file), 'utf8')) as T;
}

interface Manifest {
  readonly sources: Readonly<Record<string, ManifestSource>>;
}
interface ManifestSource {
  readonly schema: string;
  readonly identifier: string;
  readonly description: string;
  readonly columns: Readonly<
    Record<string, { readonly name: string; readonly description: string }>
  >;
}
interface RunResults {
  readonly results: readonly { readonly unique_id: string; readonly status: string }[];
}

/** What came of each test, or of each source's freshness, by name. */
function statuses(file: 'run_results.json' | 'sources.json'): Map<string, string> {
  const { results } = readTarget<RunResults>(file);
  // `test.<project>.<name>.<hash>`, `source.<project>.<source>.<table>`
  const place = file === 'sources.json' ? [2, 4] : [2, 3];
  return new Map(
    results.map(({ unique_id: id, status }) => [
      id
        .split('.')
        .slice(...place)
        .join('.'),
      status,
    ]),
  );
}

describe('dbt', { timeout: 3 * DBT_TIMEOUT_MS }, () => {
  it('reads names, columns and comments as they are in the database, without a warning', async () => {
    const { exitCode, stdout } = await runDbt('--warn-error', 'parse');
    expect(exitCode, stdout).toBe(0);
    expect(stdout).not.toMatch(/warning|deprecat/i);

    const { sources } = readTarget<Manifest>('manifest.json');
    const read = Object.values(sources).flatMap(({ schema, identifier, description, columns }) => [
      [schema, identifier, null, description],
      ...Object.values(columns).map((each) => [schema, identifier, each.name, each.description]),
    ]);
    const { rows } = await database.pool.query<Record<string, unknown>>(
      `SELECT v.table_schema, v.table_name, v.column_name,
              coalesce(col_description(format('%I.%I', t.table_schema, t.table_name)::regclass, t.ordinal_position), '')
         FROM information_schema.columns v JOIN information_schema.columns t
              ON (t.table_schema, t.table_name, t.column_name)
               = (v.table_schema, regexp_replace(v.table_name, '_current$', ''), v.column_name)
        WHERE v.table_schema = ANY($1)
       UNION ALL
       SELECT table_schema, table_name, NULL,
              coalesce(obj_description(format('%I.%I', table_schema, table_name)::regclass, 'pg_class'), '')
         FROM information_schema.tables WHERE table_schema = ANY($1)`,
      [Object.keys(SCHEMAS)],
    );
    const there = rows.map((row) => Object.values(row));
    expect(read.map((line) => JSON.stringify(line)).sort()).toEqual(
      there.map((line) => JSON.stringify(line)).sort(),
    );
  });

  it('finds the streams fresh and every test of the keys passed', async () => {
    const freshness = await runDbt('source', 'freshness');
    expect(freshness.exitCode, freshness.stdout).toBe(0);
    expect([...statuses('sources.json')].sort()).toEqual(
      Object.keys(SCHEMAS)
        .flatMap((schema) => CLOSE_STREAMS.map(({ name }) => `${schema}.${name}`))
        .map((name) => [name, 'pass'])
        .sort(),
    );
    const tests = await runDbt('test', '--select', 'source:*');
    expect(tests.exitCode, tests.stdout).toBe(0);
    const passed = statuses('run_results.json');
    expect(new Set(passed.values())).toEqual(new Set(['pass']));
    expect([...passed.keys()]).toEqual(
      expect.arrayContaining([
        'source_unique_stitch_closeio_leads_id',
        'source_unique_stitch_later_activities_current_id',
        'source_not_null_close_native_activities_id',
        'source_not_null_stitch_closeio_leads__contacts__emails__sdc_level_1_id',
      ]),
    );
    expect([...passed.keys()]).not.toContain('source_unique_stitch_closeio_activities_id');
  });

  it('turns red when a key is doubled or missing, a version is shown twice, a stream rests', async () => {
    await database.pool.query(`
      SET search_path = stitch_closeio;
      ALTER TABLE leads DROP CONSTRAINT leads_pkey;
      INSERT INTO leads SELECT * FROM leads WHERE id = 'lead_small';
      ALTER TABLE leads__contacts DROP CONSTRAINT leads__contacts_pkey;
      ALTER TABLE leads__contacts ALTER id DROP NOT NULL;
      UPDATE leads__contacts SET id = NULL WHERE id = 'lead_example';
      CREATE OR REPLACE VIEW activities_current AS SELECT * FROM activities;
      RESET search_path;
      UPDATE closehaul.streams
         SET last_success_at = now() - CASE stream WHEN 'leads' THEN interval '1 day'
                                                   ELSE interval '4 days' END
       WHERE schema_name = 'stitch_closeio' AND stream IN ('leads', 'activities')`);

    expect((await runDbt('test', '--select', 'source:stitch_closeio')).exitCode).toBe(1);
    const failed = [...statuses('run_results.json')].filter(([, status]) => status !== 'pass');
    expect(failed.sort()).toEqual([
      ['source_not_null_stitch_closeio_leads__contacts_id', 'fail'],
      ['source_unique_stitch_closeio_activities_current_id', 'fail'],
      ['source_unique_stitch_closeio_leads_id', 'fail'],
    ]);

    const freshness = await runDbt('source', 'freshness', '--select', 'source:stitch_closeio');
    expect(freshness.exitCode).toBe(1);
    const stale = [...statuses('sources.json')].filter(([, status]) => status !== 'pass');
    expect(stale.sort()).toEqual([
      ['stitch_closeio.activities', 'error'],
      ['stitch_closeio.leads', 'warn'],
    ]);
  });
});
