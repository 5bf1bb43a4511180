/** The limit of the machine: the same rows, put into the same tables by COPY and nothing else. */
import type pg from 'pg';
import type { Database } from './stack.js';

export const RAW_COPY_SCHEMA = 'raw_copy';

export interface RawCopy {
  /** Makes the tables anew, with the keys and indexes of ours, empty. */
  prepare(): Promise<void>;
  /** One statement for each table; each fills it. */
  readonly statements: readonly string[];
}

/**
 * Writes the rows of a schema to files, in the form that COPY reads quickest. The server itself
 * reads and writes them, so the limit has no client's cost.
 */
export async function makeRawCopy({ pool }: Database, schema: string): Promise<RawCopy> {
  // A folder that the server may write to, whoever it runs as.
  const { rows } = await pool.query<{ folder: string }>(
    `SELECT current_setting('data_directory') AS folder`,
  );
  const folder = rows[0]?.folder ?? '';
  const tables = await tablesOf(pool, schema);
  const statements: string[] = [];
  for (const [index, table] of tables.entries()) {
    const file = `${folder}/raw_copy_${index}`;
    await pool.query(`COPY "${schema}"."${table}" TO '${file}'`);
    statements.push(`COPY "${RAW_COPY_SCHEMA}"."${table}" FROM '${file}'`);
  }
  return {
    statements,
    async prepare() {
      await pool.query(`DROP SCHEMA IF EXISTS ${RAW_COPY_SCHEMA} CASCADE`);
      await pool.query(`CREATE SCHEMA ${RAW_COPY_SCHEMA}`);
      for (const table of tables) {
        await pool.query(
          `CREATE TABLE "${RAW_COPY_SCHEMA}"."${table}" (LIKE "${schema}"."${table}" INCLUDING ALL)`,
        );
      }
    },
  };
}

async function tablesOf(pool: pg.Pool, schema: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

/** Bytes of all tables of a schema, with their indexes and what is stored beside them. */
export async function schemaBytes(pool: pg.Pool, schema: string): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    `SELECT coalesce(sum(pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass)), 0)::bigint AS bytes
       FROM pg_tables WHERE schemaname = $1`,
    [schema],
  );
  return rows[0]?.bytes ?? 0;
}
