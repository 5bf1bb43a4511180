import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClosehaulError } from '../../src/errors.js';
import { readConnection } from '../../src/postgres/connections.js';
import { readCheckpoint } from '../../src/postgres/checkpoints.js';
import { copyIn } from '../../src/postgres/copy-in.js';
import { createPool, inTransaction, query } from '../../src/postgres/pool.js';
import { databaseError, isMissingObject, isRecordFault } from '../../src/postgres/sqlstate.js';
import { at, LEADS, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
});
afterAll(() => warehouse.close());

describe('an SQLSTATE', () => {
  it.each([
    ...['08000', '08003', '08006', '57P01', '57P02', '57P03', '57P05', '57014', '53100', '53200']
      .concat(['53300', '40001', '40P01', '55P03', '25006', '25P03', '25P04', '58030'])
      .map((state) => [state, 'DATABASE_UNAVAILABLE', 'retry']),
    ...['28000', '28P01'].map((state) => [state, 'DATABASE_LOGIN_REFUSED', 'stop-connection']),
    ['3D000', 'DATABASE_MISSING', 'stop-connection'],
    ['42501', 'DATABASE_RIGHT_MISSING', 'stop-connection'],
    ...['42P01', '42703', '3F000'].map((state) => [state, 'WAREHOUSE_OBJECT_MISSING', 'retry']),
    ['42P10', 'WAREHOUSE_KEY_MISSING', 'fail-stream'],
    ['0A000', 'WAREHOUSE_COPY_REFUSED', 'fail-stream'],
    ...['22021', '22P05', '22P02', '22003', '22007', '22008', '22001', '23502', '23505', '23514']
      .concat(['54000', '54001', '54011', 'P0001', '44000', '09000', '27000'])
      .map((state) => [state, 'RECORD_REFUSED', 'reject-record']),
    ...['42601', '42701', '21000', '08P01', '0A001', 'XX000', '99999'].map((state) => [
      ...[state, 'DATABASE_BUG', 'bug'],
    ]),
    ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', undefined].map((state) => [
      ...[state, 'DATABASE_UNREACHABLE', 'retry'],
    ]),
  ])('%s is %s: %s', (state, code, recovery) => {
    const error = Object.assign(new Error('x'), { code: state });
    expect(databaseError(error)).toMatchObject({ code, recovery });
    expect(isRecordFault(error)).toBe(code === 'RECORD_REFUSED');
    expect(isMissingObject(error)).toBe(code === 'WAREHOUSE_OBJECT_MISSING');
  });

  it('is not made up for a mistake of our own', () => {
    const mistake = new TypeError('x is not a function');
    expect(databaseError(mistake)).toBe(mistake);
  });
});

it('row-level security that is forced refuses rows by COPY, with what to do about it', async () => {
  const role = `restricted_${process.pid}`;
  const work = inTransaction(warehouse.pool, async (client) => {
    await client.query(`CREATE ROLE ${role};
      CREATE TABLE public.guarded (id text); GRANT ALL ON public.guarded TO ${role};
      ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      SET LOCAL ROLE ${role}`);
    await copyIn(client, 'COPY public.guarded FROM STDIN', 'one\n');
  });
  const error = await work.catch(databaseError);
  expect(error).toMatchObject({ code: 'WAREHOUSE_COPY_REFUSED', recovery: 'fail-stream' });
  expect((error as ClosehaulError).next).toContain('NO FORCE ROW LEVEL SECURITY');
});

describe('no error tells what a row holds', () => {
  const CANARY = 'canary-7f3d2c9b@example.com';

  async function failureOf(work: Promise<unknown>): Promise<ClosehaulError> {
    const error = await work.then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ClosehaulError);
    return error as ClosehaulError;
  }

  it.each([
    ['22P02', `SELECT '${CANARY}'::bigint`],
    ['22007', `SELECT '${CANARY}'::timestamptz`],
    ['42601', `SELEC '${CANARY}'`],
    ['P0001', `DO $$ BEGIN RAISE EXCEPTION '${CANARY}'; END $$`],
    ['42P01', `SELECT '${CANARY}' FROM public.missing`],
  ])('%s', async (sqlstate, text) => {
    const error = await failureOf(query(warehouse.pool, text));
    // PostgreSQL did say it; else the test would prove nothing.
    expect(inspect(error.underlying(), { depth: 5 })).toContain(sqlstate);
    const shown = [error.message, error.next, error.stack, JSON.stringify(error)];
    shown.push(inspect(error, { depth: 9, showHidden: true }), String(error));
    expect(shown.join('\n')).not.toContain(CANARY);
  });

  it('a page that fails as a whole, and the reason of a record that is rejected', async () => {
    const record = { id: CANARY, date_updated: at(1), email: CANARY };
    await warehouse.load(LEADS, [{ ...record, id: 'first' }]);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads ADD CONSTRAINT no CHECK (id = 'first')`);
    await warehouse.load(LEADS, [record]);
    const [kept] = await warehouse.rows(`SELECT reason FROM ${SCHEMA}._sdc_rejected`);
    expect(kept?.['reason']).not.toContain(CANARY);

    await warehouse.rows(`ALTER TABLE ${SCHEMA}._sdc_rejected ADD CHECK (record = '') NOT VALID`);
    const error = await failureOf(warehouse.load(LEADS, [{ ...record, name: 'again' }]));
    const shown = inspect(error, { depth: 9, showHidden: true }) + (error.stack ?? '');
    expect(shown).not.toContain(CANARY);
    await warehouse.rows(`ALTER TABLE ${SCHEMA}.leads DROP CONSTRAINT no`);
    await warehouse.rows(`DROP TABLE ${SCHEMA}._sdc_rejected`);
  });
});

describe('a session', () => {
  it('is in UTC, with bounded statements, locks and transactions, whatever the role prefers', async () => {
    const role = `role_${process.pid}`;
    await warehouse.rows(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'secret'`);
    for (const setting of [
      "TimeZone TO 'America/New_York'",
      "DateStyle TO 'German'",
      "statement_timeout TO '0'",
      "default_transaction_isolation TO 'serializable'",
    ]) {
      await warehouse.rows(`ALTER ROLE ${role} SET ${setting}`);
    }
    const url = new URL(warehouse.url);
    [url.username, url.password] = [role, 'secret'];
    const pool = createPool({ url: url.href, sizeMax: 1, applicationName: 'settings' });
    const settings = await query<Record<string, string>>(
      pool,
      `SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS statement,
              current_setting('lock_timeout') AS lock,
              current_setting('idle_in_transaction_session_timeout') AS idle,
              current_setting('client_connection_check_interval') AS liveness,
              current_setting('application_name') AS name`,
    );
    expect(settings).toEqual([
      {
        ...{ zone: 'UTC', statement: '1min', lock: '5s', idle: '1min', liveness: '2s' },
        name: 'settings',
      },
    ]);
    const isolation = await inTransaction(pool, async (client) => {
      const { rows } = await client.query<{ transaction_isolation: string }>(
        'SHOW transaction_isolation',
      );
      return rows[0]?.transaction_isolation;
    });
    expect(isolation).toBe('read committed');
    // Times are read to the microsecond, in whatever form the role would like to see them.
    expect((await readConnection(pool, SCHEMA))?.startDate).toBe('2024-01-01T00:00:00.000000Z');
    await pool.end();
  });

  it.each(['fence-taken', 'roots-merged', 'checkpoint-moved'])(
    'that is ended by somebody else at %s gives an error to retry, and the page loads again',
    async (point) => {
      const pool = createPool({ url: warehouse.url, sizeMax: 1, applicationName: 'to be ended' });
      const ref = await warehouse.slice(LEADS);
      const record = { id: `lead_${point}`, date_updated: at(1), contacts: [{ name: 'A' }] };
      let isEnded = false;
      const probe = async (reached: string): Promise<void> => {
        if (reached !== point || isEnded) return;
        isEnded = true;
        const ended = await warehouse.rows(
          `SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity
            WHERE application_name = 'to be ended'`,
        );
        expect(ended).toEqual([{ ended: true }]);
      };
      const error = (await warehouse
        .load(LEADS, [record], { ref, pool, probe })
        .catch((reason: unknown) => reason)) as ClosehaulError;
      expect(['DATABASE_UNREACHABLE', 'DATABASE_UNAVAILABLE']).toContain(error.code);
      expect(error.recovery).toBe('retry');
      expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ version: 0 });
      // The same pool finds a new connection by itself.
      expect(await warehouse.load(LEADS, [record], { ref, pool })).toMatchObject({ inserted: 1 });
      await pool.end();
    },
  );

  it('that breaks while nobody uses it does not end the process', async () => {
    const pool = createPool({ url: warehouse.url, sizeMax: 1, applicationName: 'idle one' });
    await query(pool, 'SELECT 1');
    await warehouse.rows(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'idle one'`,
    );
    expect(await query(pool, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it('that waits too long for a lock of somebody else gives way', async () => {
    const other = new pg.Client({ connectionString: warehouse.url });
    await other.connect();
    await other.query(`BEGIN; LOCK TABLE ${SCHEMA}.leads IN ACCESS EXCLUSIVE MODE`);
    const pool = createPool({ url: warehouse.url, sizeMax: 1, applicationName: 'waits' });
    const load = warehouse.load(LEADS, [{ id: 'lead_l', date_updated: at(1) }], { pool });
    await expect(load).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', recovery: 'retry' });
    await other.end();
    await pool.end();
  });

  it('that nobody answers is an error to retry', async () => {
    const pool = createPool({
      url: 'postgres://u:p@127.0.0.1:1/x',
      sizeMax: 1,
      applicationName: 'x',
    });
    await expect(query(pool, 'SELECT 1')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    await expect(inTransaction(pool, () => Promise.resolve())).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    });
    await pool.end();
  });
});
