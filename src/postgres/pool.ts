import pg from 'pg';
import { parseInstant, type Instant } from '../core/instant.js';
import { databaseError, sqlstateOf } from './sqlstate.js';

/**
 * The pool of connections to the warehouse. Every session is in UTC, has bounded statements and
 * locks, and gives timestamps and bigints as text or exact numbers instead of JavaScript's `Date`,
 * which would cut microseconds.
 */
export interface PoolOptions {
  readonly url: string;
  readonly sizeMax: number;
  readonly applicationName: string;
}

/** How long one statement may take; a page's merge takes milliseconds, an index on history longer. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** A report that holds a lock on our table delays us, and we never delay it for longer than this. */
const LOCK_TIMEOUT_MS = 5_000;

const TIMESTAMPTZ_OID = 1184;
const BIGINT_OID = 20;

export function createPool(options: PoolOptions): pg.Pool {
  const types = new pg.TypeOverrides();
  types.setTypeParser(TIMESTAMPTZ_OID, readInstant);
  // Counts and versions of ours stay far below 2^53.
  types.setTypeParser(BIGINT_OID, Number);
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.sizeMax,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types,
    // Statements are sent without waiting for the answer of the one before; see load.ts.
    pipeline: true,
    options: [
      '-c TimeZone=UTC',
      '-c DateStyle=ISO',
      `-c statement_timeout=${STATEMENT_TIMEOUT_MS}`,
      `-c lock_timeout=${LOCK_TIMEOUT_MS}`,
      `-c idle_in_transaction_session_timeout=${STATEMENT_TIMEOUT_MS}`,
    ].join(' '),
  });
  // A worker that is killed in the middle of a statement leaves its locks behind until this notices.
  // Not among the options above: where the system cannot do it, they would refuse the connection.
  pool.on('connect', (client) => {
    client.query("SET client_connection_check_interval = '2s'").catch(() => undefined);
  });
  // An idle connection that breaks must not end the process; the next query finds a new one.
  pool.on('error', () => undefined);
  return pool;
}

function readInstant(text: string): Instant | string {
  return parseInstant(text) ?? text;
}

/** Explicit, since a database may have another default, and the fence counts on this one. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/**
 * Runs `work` in one transaction; any error rolls it back and comes out as `work` threw it. `first`
 * is a statement without parameters that travels with BEGIN; it has a snapshot of its own, so the
 * next one sees whatever was committed while `first` waited for a lock.
 */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  first?: string,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw databaseError(error);
  });
  let broken: Error | undefined;
  // A connection that is cut between two statements emits `error`, which would end the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query(first === undefined ? BEGIN : `${BEGIN}; ${first}`);
    const result = await work(client);
    const { command } = await client.query('COMMIT');
    // PostgreSQL answers so, and without an error, when a failed statement went unnoticed.
    if (command === 'ROLLBACK') throw new TypeError('a failed transaction was committed');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: unknown) => {
      broken = rollbackError as Error;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Quotes a name for SQL; the only way a name gets into a statement. */
export const quote = pg.escapeIdentifier;

/** SQLSTATEs of a statement that was prepared and is not there, and of one that is there already. */
const NAME_LOST = ['26000', '42P05'];
/** Pools behind a pooler that gives each transaction another connection: names are lost there. */
const withoutNames = new WeakSet<pg.Pool>();

/**
 * One query outside a transaction, with errors from our catalogue. With a `name` each connection plans
 * it once, wherever connections are our own.
 */
export async function query<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  text: string,
  values: readonly unknown[] = [],
  name?: string,
): Promise<Row[]> {
  try {
    const isNamed = name !== undefined && !withoutNames.has(pool);
    return (await pool.query<Row>({ text, values: [...values], ...(isNamed && { name }) })).rows;
  } catch (error) {
    if (name !== undefined && NAME_LOST.includes(sqlstateOf(error))) {
      withoutNames.add(pool);
      return query(pool, text, values);
    }
    throw databaseError(error);
  }
}

/** Whether the database answers; throws its errors when it does not. */
export async function answers(pool: pg.Pool): Promise<boolean> {
  return (await query(pool, 'SELECT 1')).length === 1;
}
