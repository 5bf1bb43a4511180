import type pg from 'pg';
import { inTransaction, quote } from './pool.js';
import { databaseError, sqlstateOf } from './sqlstate.js';
import { takeNames } from './statements.js';

/**
 * The role that may read every warehouse and the views on its syncs. It cannot log in: a person is
 * let in by `GRANT closehaul_reader TO …`, once, and sees tables that are made later too.
 */
export const READER_ROLE = 'closehaul_reader';

/** The views of schema `closehaul` that people may read; all else in it is private. */
const PUBLIC_VIEWS = ['sync_status', 'runs', 'run_streams', 'reconciliations'];

/**
 * Makes the role where it is missing and lets it read `schema`. False when this database role may
 * not make roles: an owner does it by hand (README), and the next opening grants.
 */
export async function grantReader(pool: pg.Pool, schema: string): Promise<boolean> {
  if (!(await haveRole(pool))) return false;
  const name = quote(schema);
  const grants = [
    `GRANT USAGE ON SCHEMA ${name}, closehaul TO ${READER_ROLE}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${name} TO ${READER_ROLE}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${name} GRANT SELECT ON TABLES TO ${READER_ROLE}`,
    ...PUBLIC_VIEWS.map((view) => `GRANT SELECT ON closehaul.${view} TO ${READER_ROLE}`),
  ];
  try {
    // Alone: of two that grant on one object at a time, PostgreSQL refuses the second.
    await inTransaction(pool, (client) => client.query(grants.join(';\n')), takeNames('closehaul'));
    return true;
  } catch (error) {
    // Somebody else owns the schema's tables or our views, and grants as they see fit.
    if (sqlstateOf(error) === '42501') return false;
    throw databaseError(error);
  }
}

async function haveRole(pool: pg.Pool): Promise<boolean> {
  try {
    const { rowCount } = await pool.query('SELECT FROM pg_roles WHERE rolname = $1', [READER_ROLE]);
    if (rowCount === 0) await pool.query(`CREATE ROLE ${READER_ROLE} NOLOGIN`);
    return true;
  } catch (error) {
    // Roles belong to the whole server: a worker of another database may have been faster.
    if (['42710', '23505'].includes(sqlstateOf(error))) return true;
    if (sqlstateOf(error) === '42501') return false;
    throw databaseError(error);
  }
}
