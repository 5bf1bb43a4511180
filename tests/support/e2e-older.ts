/** What Close has before a date, asked of it directly, and what the warehouse has of that. */
import type pg from 'pg';
import { drain, ids } from './sandbox-client.js';

const ACTIVITY_LISTS = ['/activity/', '/activity/emailthread/'];

/** Ids of all activities that Close has in `[from, to)`, days as `2025-11-23`. */
export async function closeActivities(
  baseUrl: string,
  from: string,
  to: string,
): Promise<string[]> {
  const range = {
    date_created__gte: `${from}T00:00:00+00:00`,
    date_created__lt: `${to}T00:00:00+00:00`,
  };
  const found: string[] = [];
  for (const path of ACTIVITY_LISTS) {
    const records = await drain(baseUrl, path, range);
    found.push(...ids(records));
  }
  return found.sort();
}

export async function loadedActivitiesBefore(
  pool: pg.Pool,
  schema: string,
  date: string,
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM ${schema}.activities WHERE date_created < $1 ORDER BY id COLLATE "C"`,
    [date],
  );
  return rows.map(({ id }) => id);
}

/** Ids that are in the table more than once: the same version twice. */
export async function doubledActivities(pool: pg.Pool, schema: string): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM ${schema}.activities GROUP BY id, date_updated HAVING count(*) > 1`,
  );
  return rows.map(({ id }) => id);
}
