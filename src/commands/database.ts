import type { Config } from '../config.js';
import { ClosehaulError } from '../errors.js';
import { findPostgres } from '../local/postgres.js';
import { createPool } from '../postgres/pool.js';

/** Where the commands find the database: DATABASE_URL, else the one that `start` runs here. */
export async function databaseUrlOf(config: Config): Promise<string> {
  if (config.databaseUrl !== undefined) return config.databaseUrl.reveal();
  const local = await findPostgres({ path: config.home });
  if (local === undefined) throw new ClosehaulError('DATABASE_UNKNOWN');
  return local.url;
}

/** Runs `work` with the database, and closes it. */
export async function withPool<T>(
  config: Config,
  work: (pool: ReturnType<typeof createPool>) => Promise<T>,
): Promise<T> {
  const url = await databaseUrlOf(config);
  const pool = createPool({ url, sizeMax: 1, applicationName: 'closehaul' });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}
