/** The servers that benchmarks run against: one PostgreSQL, one Temporal, new for each benchmark. */
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';
import { startPostgres } from '../../src/local/postgres.js';
import { startTemporal } from '../../src/local/temporal-server.js';
import { createDatabase } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { removeHome, temporalCliPath, temporaryHome } from '../../tests/support/tools.js';

export interface Stack {
  readonly folder: string;
  readonly postgresLog: string;
  readonly temporalAddress: string;
  readonly client: Client;
  /** Changes settings of the whole server; sessions that are there take up what they can. */
  setServer(settings: Readonly<Record<string, string>>): Promise<void>;
  /** A new, empty database. */
  database(): Promise<Database>;
  close(): Promise<void>;
}

export interface Database {
  readonly url: string;
  readonly name: string;
  readonly pool: pg.Pool;
  /** Gives its room on the disk back. */
  drop(): Promise<void>;
}

/** `work` with the servers, which end with it. */
export async function withStack(work: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await startStack();
  try {
    await work(stack);
  } finally {
    await stack.close();
  }
}

async function startStack(): Promise<Stack> {
  const folder = temporaryHome();
  const home = { path: folder };
  const postgres = await startPostgres({ home, env: process.env });
  const temporal = await startTemporal({ home, cliPath: await temporalCliPath() });
  const connection = await Connection.connect({ address: temporal.address });
  const pools: pg.Pool[] = [];
  let databases = 0;
  return {
    folder,
    setServer: (settings) =>
      withAdmin(postgres.adminUrl, async (admin) => {
        for (const [name, value] of Object.entries(settings)) {
          await admin.query(`ALTER SYSTEM SET ${name} = '${value}'`);
        }
        await admin.query('SELECT pg_reload_conf()');
      }),
    postgresLog: postgres.logFile,
    temporalAddress: temporal.address,
    client: new Client({ connection }),
    async database() {
      databases += 1;
      const name = `bench_${databases}`;
      await createDatabase(postgres.adminUrl, name);
      const url = new URL(postgres.adminUrl);
      url.pathname = `/${name}`;
      const pool = createPool({ url: url.href, sizeMax: 4, applicationName: 'closehaul bench' });
      pools.push(pool);
      return { url: url.href, name, pool, drop: () => dropDatabase(postgres.adminUrl, name, pool) };
    },
    async close() {
      for (const pool of pools) if (!pool.ended) await pool.end();
      await connection.close();
      await temporal.stop();
      await postgres.stop();
      removeHome(folder);
    },
  };
}

async function dropDatabase(adminUrl: string, name: string, pool: pg.Pool): Promise<void> {
  await pool.end();
  await withAdmin(adminUrl, async (admin) => {
    await admin.query(`DROP DATABASE "${name}" WITH (FORCE)`);
  });
}

async function withAdmin(url: string, work: (admin: pg.Pool) => Promise<void>): Promise<void> {
  const admin = createPool({ url, sizeMax: 1, applicationName: 'closehaul bench' });
  await work(admin);
  await admin.end();
}
