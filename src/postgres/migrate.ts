import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { query } from './pool.js';
import { databaseError, sqlstateOf } from './sqlstate.js';

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../sql', import.meta.url));

/**
 * Brings schema `closehaul` to the newest version. Many workers may start at once: the first one
 * works under an advisory lock, the others wait for it.
 */
export async function migrate(url: string): Promise<void> {
  const silent = (): void => undefined;
  try {
    await runner({
      databaseUrl: url,
      dir: MIGRATIONS_FOLDER,
      direction: 'up',
      schema: 'closehaul',
      createSchema: true,
      migrationsTable: 'migrations',
      // The default fails when somebody else holds the lock, and the second worker would not start.
      advisoryLockMode: 'wait',
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    });
  } catch (error) {
    throw databaseError(error);
  }
}

/** What `migrate` would do, by the names of the files; all of it where it never ran. */
export async function pendingMigrations(pool: pg.Pool): Promise<readonly string[]> {
  const names = readdirSync(MIGRATIONS_FOLDER).map((file) => file.replace(/\.sql$/, ''));
  const [table] = await query<{ isThere: boolean }>(
    pool,
    `SELECT to_regclass('closehaul.migrations') IS NOT NULL AS "isThere"`,
  );
  const done =
    table?.isThere === true
      ? await query<{ name: string }>(pool, 'SELECT name FROM closehaul.migrations')
      : [];
  return names.filter((name) => !done.some((migration) => migration.name === name)).sort();
}

/** Makes the database of `url` when it is missing; `adminUrl` points at one that is there. */
export async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process was faster.
    if (!['42P04', '23505'].includes(sqlstateOf(error))) throw databaseError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
