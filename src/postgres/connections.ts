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

/**
 * Gives each stream its line in `sync_status`, and each part of the live lane its first bookmark.
 * `leftOut`: fields that the operator does not want, by stream.
 */
export async function registerStreams(
  pool: pg.Pool,
  schema: string,
  streams: readonly SourceStream[],
  liveFrom: Instant,
  leftOut: ReadonlyMap<string, readonly string[]> = new Map(),
): Promise<void> {
  const lines = streams.map(({ name }) => ({ stream: name, left_out: leftOut.get(name) ?? [] }));
  const parts = streams.flatMap((stream) =>
    stream.parts
      .filter(({ lane }) => lane !== 'history')
      .map((part) => ({ stream: stream.name, part: part.name })),
  );
  await query(
    pool,
    `WITH chosen AS (
       SELECT r.stream, r.left_out FROM json_to_recordset($2::json) AS r(stream text, left_out text[])
     ), others AS (
       UPDATE closehaul.streams SET is_selected = false
        WHERE schema_name = $1 AND stream NOT IN (SELECT stream FROM chosen)
     )
     INSERT INTO closehaul.streams (schema_name, stream, left_out)
     SELECT $1, stream, left_out FROM chosen
     ON CONFLICT (schema_name, stream) DO UPDATE SET is_selected = true, left_out = excluded.left_out`,
    [schema, JSON.stringify(lines)],
  );
  await query(
    pool,
    `INSERT INTO closehaul.bookmarks (schema_name, stream, part, bookmark)
     SELECT $1, r.stream, r.part, $3 FROM json_to_recordset($2::json) AS r(stream text, part text)
     ON CONFLICT DO NOTHING`,
    [schema, JSON.stringify(parts), liveFrom],
  );
}

/** What the operator wants, as it was told when the connection was opened last. */
export interface StoredSelection {
  readonly streams: ReadonlySet<string>;
  readonly leftOut: ReadonlyMap<string, readonly string[]>;
}

export async function readSelection(pool: pg.Pool, schema: string): Promise<StoredSelection> {
  const rows = await query<{ stream: string; left_out: string[] }>(
    pool,
    'SELECT stream, left_out FROM closehaul.streams WHERE schema_name = $1 AND is_selected',
    [schema],
  );
  return {
    streams: new Set(rows.map(({ stream }) => stream)),
    leftOut: new Map(rows.map(({ stream, left_out: fields }) => [stream, fields])),
  };
}

export interface Bookmark {
  readonly stream: string;
  readonly part: string;
  readonly bookmark: Instant;
  /** When the part was read last, to its end or in vain; null: not yet. */
  readonly readAt: Instant | null;
  /** Close does not let this key read it. */
  readonly isSkipped: boolean;
}

export async function readBookmarks(pool: pg.Pool, schema: string): Promise<readonly Bookmark[]> {
  return query<Bookmark & pg.QueryResultRow>(
    pool,
    `SELECT stream, part, bookmark, read_at AS "readAt", is_skipped AS "isSkipped"
       FROM closehaul.bookmarks WHERE schema_name = $1`,
    [schema],
  );
}
