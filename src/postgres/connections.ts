import type pg from 'pg';
import type { Instant } from '../core/instant.js';
import { DEFAULT_LAYOUT, type LayoutName } from '../core/layout.js';
import type { SourceStream } from '../core/ports.js';
import { ClosehaulError } from '../errors.js';
import { createSchema } from './catalog.js';
import { query } from './pool.js';
import { grantReader } from './reader-role.js';

/** A connection as it was fixed when it was first opened. */
export interface StoredConnection {
  readonly schema: string;
  readonly name: string;
  readonly layout: LayoutName;
  readonly organizationId: string;
  readonly startDate: Instant;
  /** Where the history lane ends and the live lane begins. */
  readonly liveFrom: Instant;
  readonly workflowId: string;
}

export interface OpenRequest extends Omit<StoredConnection, 'layout'> {
  /** Null: the one that its tables have; the default where there are none yet. */
  readonly layout: LayoutName | null;
  /** Whether the workflow that owns the connection now is still running. */
  readonly isOwnerRunning: (workflowId: string) => Promise<boolean>;
}

/**
 * Opens a connection: makes its schema, fixes what is fixed once, and claims it for one workflow.
 * Throws NAME_TAKEN, LAYOUT_FIXED, ORGANIZATION_CHANGED, CONNECTION_TAKEN and the database's errors.
 */
export async function openConnection(
  pool: pg.Pool,
  request: OpenRequest,
): Promise<StoredConnection> {
  const { schema } = request;
  await query(
    pool,
    `INSERT INTO closehaul.connections (schema_name, name, layout, organization_id, start_date, live_from, workflow_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [
      ...[schema, request.name, request.layout ?? DEFAULT_LAYOUT, request.organizationId],
      ...[request.startDate, request.liveFrom, request.workflowId],
    ],
  );
  const stored = await readConnection(pool, schema);
  if (stored === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
  refuseOther(request, stored);
  await claim(pool, request, stored.workflowId);
  await createSchema(pool, schema);
  await grantReader(pool, schema);
  return { ...stored, workflowId: request.workflowId };
}

/** Takes the connection over from a workflow that is gone; of two that try at once, one gets it. */
async function claim(pool: pg.Pool, request: OpenRequest, owner: string): Promise<void> {
  const { schema, workflowId } = request;
  if (owner !== workflowId && (await request.isOwnerRunning(owner))) {
    throw new ClosehaulError('CONNECTION_TAKEN', { schema, workflow: owner });
  }
  const claimed = await query(
    pool,
    `UPDATE closehaul.connections SET workflow_id = $2, start_date = least(start_date, $3)
      WHERE schema_name = $1 AND workflow_id IN ($2, $4) RETURNING schema_name`,
    [schema, workflowId, request.startDate, owner],
  );
  if (claimed.length > 0) return;
  const winner = (await readConnection(pool, schema))?.workflowId ?? owner;
  throw new ClosehaulError('CONNECTION_TAKEN', { schema, workflow: winner });
}

function refuseOther(request: OpenRequest, stored: StoredConnection): void {
  const { schema } = request;
  if (stored.name !== request.name) throw new ClosehaulError('NAME_TAKEN', { schema });
  if (request.layout !== null && stored.layout !== request.layout) {
    throw new ClosehaulError('LAYOUT_FIXED', { schema, layout: stored.layout });
  }
  if (stored.organizationId !== request.organizationId) {
    throw new ClosehaulError('ORGANIZATION_CHANGED', { schema });
  }
}

export async function readConnection(
  pool: pg.Pool,
  schema: string,
): Promise<StoredConnection | undefined> {
  const [row] = await query<StoredConnection>(
    pool,
    `SELECT schema_name AS schema, name, layout, organization_id AS "organizationId",
            start_date AS "startDate", live_from AS "liveFrom", workflow_id AS "workflowId"
       FROM closehaul.connections WHERE schema_name = $1`,
    [schema],
  );
  return row;
}

/** Gives each stream its line in `sync_status`, and each part its first bookmark. */
export async function registerStreams(
  pool: pg.Pool,
  schema: string,
  streams: readonly SourceStream[],
  liveFrom: Instant,
): Promise<void> {
  const parts = streams.flatMap((stream) =>
    stream.parts.map((part) => ({ stream: stream.name, part: part.name })),
  );
  await query(
    pool,
    `INSERT INTO closehaul.streams (schema_name, stream)
     SELECT DISTINCT $1, r.stream FROM json_to_recordset($2::json) AS r(stream text)
     ON CONFLICT DO NOTHING`,
    [schema, JSON.stringify(parts)],
  );
  await query(
    pool,
    `INSERT INTO closehaul.bookmarks (schema_name, stream, part, bookmark)
     SELECT $1, r.stream, r.part, $3 FROM json_to_recordset($2::json) AS r(stream text, part text)
     ON CONFLICT DO NOTHING`,
    [schema, JSON.stringify(parts), liveFrom],
  );
}

export interface Bookmark {
  readonly stream: string;
  readonly part: string;
  readonly bookmark: Instant;
}

export async function readBookmarks(pool: pg.Pool, schema: string): Promise<readonly Bookmark[]> {
  return query<{ stream: string; part: string; bookmark: Instant }>(
    pool,
    'SELECT stream, part, bookmark FROM closehaul.bookmarks WHERE schema_name = $1',
    [schema],
  );
}
