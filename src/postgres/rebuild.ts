import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { LayoutName } from '../core/layout.js';
import { rebuildSchema, replacedSchema } from '../core/naming.js';
import type { SourceStream } from '../core/ports.js';
import { ClosehaulError } from '../errors.js';
import { createSchema } from './catalog.js';
import { readConnection, readSelection, registerStreams } from './connections.js';
import { inTransaction, query, quote } from './pool.js';
import {
  belongings,
  namesOfOurs,
  readersOf,
  takenName,
  type Belonging,
} from './rebuild-belongings.js';
import { databaseError, sqlstateOf } from './sqlstate.js';
import { takeFields, takeNames } from './statements.js';

/**
 * Makes the tables of a connection anew, beside the old ones: in a schema with a line of its own in
 * `closehaul.connections`, so that all that loads a connection loads this one, and knows no
 * difference. In the end the two change places in one transaction.
 */
export interface RebuildRequest {
  readonly schema: string;
  readonly layout: LayoutName;
  readonly streams: readonly SourceStream[];
  /** Where the live lane will go on once the new tables have taken their place. */
  readonly liveFrom: Instant;
}

/**
 * Begins a rebuild, or finds the one that was begun; one of another layout is thrown away. It reaches
 * as far back as any job of the connection ever did, so that no backfill is lost by it.
 *
 * Throws CONNECTION_UNKNOWN, REBUILD_OLD_TABLES_LEFT, REBUILD_IN_USE and the database's errors.
 */
export async function openRebuild(pool: pg.Pool, request: RebuildRequest): Promise<void> {
  const { schema, layout, streams } = request;
  const [shadow, replaced] = [rebuildSchema(schema), replacedSchema(schema)];
  if (await hasSchema(pool, replaced)) {
    throw new ClosehaulError('REBUILD_OLD_TABLES_LEFT', { schema, replaced });
  }
  const begun = await readConnection(pool, shadow);
  if (begun !== undefined && begun.layout !== layout) await discard(pool, schema);
  // Versions of names only ever grow, so that no worker takes those of one rebuild for another's.
  await query(
    pool,
    `INSERT INTO closehaul.connections AS shadow
            (schema_name, name, layout, organization_id, live_from, workflow_id, catalog_version,
             rebuilds, start_date)
     SELECT $2, name, $3, organization_id, $4, workflow_id, catalog_version + 1, rebuilds + 1,
            least(start_date, (SELECT min(from_at) FROM closehaul.checkpoints
                                WHERE schema_name = $1 AND bookmark_on_close IS NULL
                                  AND from_at < to_at))
       FROM closehaul.connections WHERE schema_name = $1
     ON CONFLICT (schema_name) DO UPDATE
        SET start_date = least(shadow.start_date, excluded.start_date)`,
    [schema, shadow, layout, request.liveFrom],
  );
  const stored = await readConnection(pool, shadow);
  if (stored === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
  await createSchema(pool, shadow);
  const { leftOut } = await readSelection(pool, schema);
  await registerStreams(pool, shadow, streams, stored.liveFrom, leftOut);
}

/** Layout of a rebuild that was begun and has not taken its place; undefined when there is none. */
export async function readRebuildLayout(
  pool: pg.Pool,
  schema: string,
): Promise<LayoutName | undefined> {
  return (await readConnection(pool, rebuildSchema(schema)))?.layout;
}

/**
 * Puts the new tables in the place of the old ones: all of it or nothing, and nothing more when it
 * is asked again. Users' own views, grants, indexes go along. Returns the names of those that could
 * not; as long as there is one, the old tables stay, in schema `…__replaced`.
 *
 * Throws REBUILD_OLD_TABLES_LEFT, REBUILD_NAME_TAKEN and the database's errors.
 */
export async function swapRebuild(
  pool: pg.Pool,
  schema: string,
  appendStreams: readonly string[],
): Promise<readonly string[]> {
  const shadow = rebuildSchema(schema);
  const swap = async (client: pg.PoolClient): Promise<readonly string[]> => {
    const { rows } = await client.query<{ schema_name: string; left_behind: string[] }>(
      'SELECT schema_name, left_behind FROM closehaul.connections WHERE schema_name IN ($1, $2)',
      [schema, shadow],
    );
    const real = rows.find((row) => row.schema_name === schema);
    if (real === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
    // It was done before, by an attempt whose answer was lost.
    if (!rows.some((row) => row.schema_name === shadow)) return real.left_behind;
    const left = await changePlaces(client, schema, appendStreams);
    await moveState(client, schema, left);
    return left;
  };
  // Always the lower name first; nobody else ever holds two.
  const locks = [schema, shadow].flatMap((name) => [takeNames(name), takeFields(name)]).join('; ');
  try {
    return await inTransaction(pool, swap, locks);
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Drops the old tables, unless somebody's object still needs one: returns the names of those. A table
 * that is being read just now is waited for, not for long: then it throws DATABASE_UNAVAILABLE.
 */
export async function dropReplaced(pool: pg.Pool, schema: string): Promise<readonly string[]> {
  return dropTables(pool, replacedSchema(schema));
}

/** Index builds may take longer than any statement of a page. */
const MAKING_TIMEOUT = '10min';

async function changePlaces(
  client: pg.PoolClient,
  schema: string,
  appendStreams: readonly string[],
): Promise<readonly string[]> {
  const [shadow, replaced] = [rebuildSchema(schema), replacedSchema(schema)];
  const { rows } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [replaced]);
  if (rows.length > 0) throw new ClosehaulError('REBUILD_OLD_TABLES_LEFT', { schema, replaced });
  // Definitions are then written with the schema of each name, and mean the same to everybody.
  await client.query(
    `SET LOCAL search_path = ''; SET LOCAL statement_timeout = '${MAKING_TIMEOUT}'`,
  );
  const ours = await namesOfOurs(client, schema, appendStreams);
  const taken = await takenName(client, { old: schema, fresh: shadow, ours });
  if (taken !== undefined) throw new ClosehaulError('REBUILD_NAME_TAKEN', { schema, name: taken });
  const all = await belongings(client, { schema, shadow, replaced, ours });
  await client.query(
    `ALTER SCHEMA ${quote(schema)} RENAME TO ${quote(replaced)};
     ALTER SCHEMA ${quote(shadow)} RENAME TO ${quote(schema)}`,
  );
  return makeAgain(client, all);
}

/** SQLSTATE classes of what waiting may mend: then nothing at all is swapped, and it is tried again. */
const PASSING = /^(?:08|40|53|55P03|57P|58|none)/;

/** Returns what could not be made. */
async function makeAgain(
  client: pg.PoolClient,
  all: readonly Belonging[],
): Promise<readonly string[]> {
  const left = new Set<string>();
  for (const { what, statement } of all) {
    // A view that could not be brought over must not get a double.
    if (left.has(what)) continue;
    if (statement === null) {
      left.add(what);
      continue;
    }
    await client.query('SAVEPOINT belonging');
    try {
      await client.query(statement);
    } catch (error) {
      if (PASSING.test(sqlstateOf(error))) throw error;
      left.add(what);
      await client.query('ROLLBACK TO SAVEPOINT belonging');
    }
    await client.query('RELEASE SAVEPOINT belonging');
  }
  return [...left];
}

/** All state of the old tables goes but the runs and reconciliations; that of the new ones takes the connection's name. */
async function moveState(
  client: pg.PoolClient,
  schema: string,
  left: readonly string[],
): Promise<void> {
  const both = [schema, rebuildSchema(schema)];
  await client.query(
    `UPDATE closehaul.connections shadow
        SET workflow_id = old.workflow_id, opened_at = old.opened_at, left_behind = $3,
            catalog_version = greatest(old.catalog_version, shadow.catalog_version) + 1
       FROM closehaul.connections old
      WHERE old.schema_name = $1 AND shadow.schema_name = $2`,
    [...both, left],
  );
  for (const kept of ['runs', 'reconciliations']) {
    await client.query(
      `UPDATE closehaul.${kept} SET schema_name = $2 WHERE schema_name = $1`,
      both,
    );
  }
  await client.query('DELETE FROM closehaul.connections WHERE schema_name = $1', [schema]);
  await client.query(
    'UPDATE closehaul.connections SET schema_name = $1 WHERE schema_name = $2',
    both,
  );
}

/** Throws the half made tables of a rebuild away. */
async function discard(pool: pg.Pool, schema: string): Promise<void> {
  const shadow = rebuildSchema(schema);
  const readers = await dropTables(pool, shadow, async (client) => {
    // What a worker remembers of these must not pass for the next ones.
    await client.query(
      `UPDATE closehaul.connections old
          SET catalog_version = greatest(old.catalog_version, shadow.catalog_version) + 1,
              rebuilds = shadow.rebuilds
         FROM closehaul.connections shadow
        WHERE old.schema_name = $1 AND shadow.schema_name = $2`,
      [schema, shadow],
    );
    await client.query('DELETE FROM closehaul.connections WHERE schema_name = $1', [shadow]);
  });
  if (readers.length > 0) {
    throw new ClosehaulError('REBUILD_IN_USE', { schema: shadow, readers: readers.join(', ') });
  }
}

/**
 * Drops a schema of ours; never with CASCADE, which would take things of others along. Returns what
 * is in the way, and then has done nothing.
 */
async function dropTables(
  pool: pg.Pool,
  schema: string,
  afterwards?: (client: pg.PoolClient) => Promise<void>,
): Promise<readonly string[]> {
  const drop = async (client: pg.PoolClient): Promise<readonly string[]> => {
    const { rows } = await client.query<{ kind: string; name: string }>(
      `SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, oid::regclass::text AS name
         FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'v')`,
      [quote(schema)],
    );
    const readers = await readersOf(client, schema);
    if (readers.length > 0) return readers;
    for (const kind of ['VIEW', 'TABLE']) {
      const names = rows.filter((row) => row.kind === kind).map(({ name }) => name);
      if (names.length > 0) await client.query(`DROP ${kind} ${names.join(', ')}`);
    }
    await client.query(`DROP SCHEMA IF EXISTS ${quote(schema)}`);
    await afterwards?.(client);
    return [];
  };
  try {
    return await inTransaction(pool, drop, `${takeNames(schema)}; SET LOCAL search_path = ''`);
  } catch (error) {
    throw databaseError(error);
  }
}

async function hasSchema(pool: pg.Pool, schema: string): Promise<boolean> {
  const rows = await query(pool, 'SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  return rows.length > 0;
}
