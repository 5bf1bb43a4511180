import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import type { StreamShape } from '../core/stream.js';
import type { Catalog } from './catalog.js';
import { quote } from './pool.js';
import { databaseError, isMissingObject } from './sqlstate.js';
import { qualified } from './statements.js';

/** Of these versions of a stream's records, by key: the keys of those that are in its table. */
export async function storedVersions(
  pool: pg.Pool,
  catalog: Pick<Catalog, 'name' | 'schema'>,
  stream: Pick<StreamShape, 'name' | 'key' | 'versionField'>,
  versions: ReadonlyMap<string, Instant>,
): Promise<ReadonlySet<string>> {
  const table = catalog.schema.table(stream.name);
  const version = table?.columns.find(({ path }) => path === stream.versionField);
  if (table === undefined || version === undefined) return new Set();
  try {
    const { rows } = await pool.query<{ key: string }>(
      `SELECT DISTINCT wanted.key
         FROM unnest($1::text[], $2::timestamptz[]) AS wanted (key, version)
         JOIN ${qualified(catalog.name, table.name)} t
           ON t.${quote(stream.key)} = wanted.key AND t.${quote(version.name)} = wanted.version`,
      [[...versions.keys()], [...versions.values()]],
    );
    return new Set(rows.map(({ key }) => key));
  } catch (error) {
    // Somebody dropped the table; the page that comes makes it again.
    if (isMissingObject(error)) return new Set();
    throw databaseError(error);
  }
}
