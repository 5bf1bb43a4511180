import type pg from 'pg';
import { denestPage, type Reject } from '../../src/core/denest.js';
import type { Instant } from '../../src/core/instant.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { CompletePass, SourceStream } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { sliceId, type Position } from '../../src/core/stream.js';
import { Catalog } from '../../src/postgres/catalog.js';
import { planCheckpoints, type Counts, type SliceRef } from '../../src/postgres/checkpoints.js';
import { openConnection, registerStreams } from '../../src/postgres/connections.js';
import { loadPage, type EffectBatch } from '../../src/postgres/load.js';
import { loadable } from '../../src/postgres/loadable.js';
import { migrate } from '../../src/postgres/migrate.js';
import { inTransaction, quote } from '../../src/postgres/pool.js';
import { testDatabase, type TestDatabase } from '../support/stack.js';

export const SCHEMA = 'stitch_closeio';
export const FROM = '2024-01-01T00:00:00.000000Z' as Instant;
export const LIVE_FROM = '2026-01-01T00:00:00.000000Z' as Instant;
export const RECEIVED_AT = '2026-01-02T03:04:05.678901Z' as Instant;

/** Streams as the product has them, without what only the source needs. */
export const LEADS: SourceStream = {
  ...{ name: 'leads', loading: 'upsert', key: 'id' },
  ...{ versionField: 'date_updated', clockField: 'date_updated' },
  ...{ volatileFields: [], customFields: null },
  parts: [{ name: 'lead', sliceDays: null, overlapMs: 0, readsFuture: false }],
};
export const ACTIVITIES: SourceStream = {
  ...{ name: 'activities', loading: 'append', key: 'id' },
  ...{ versionField: 'date_updated', clockField: 'date_created' },
  ...{ volatileFields: ['user_name'], customFields: null },
  parts: [{ name: 'activity', sliceDays: 30, overlapMs: 0, readsFuture: true }],
};
/** A small list, whose records have no version. */
export const STATUSES: SourceStream = {
  ...{ name: 'lead_statuses', loading: 'upsert', key: 'id' },
  ...{ versionField: null, clockField: 'date_updated' },
  ...{ volatileFields: [], customFields: null },
  parts: [{ name: 'list', sliceDays: null, overlapMs: 0, readsFuture: false, everyMs: 3_600_000 }],
};
export const STREAMS = [LEADS, ACTIVITIES] as const;

export interface Options {
  readonly catalog?: Catalog;
  readonly probe?: (point: string) => void | Promise<void>;
  readonly ref?: SliceRef;
  readonly version?: number;
  readonly next?: Position | null;
  readonly rejects?: readonly Reject[];
  readonly pool?: pg.Pool;
  readonly receivedAt?: Instant;
  readonly effects?: readonly EffectBatch[];
  readonly pass?: CompletePass;
  readonly note?: string;
  readonly isSkipped?: boolean;
}

/** A migrated database with one open connection, for one test file or one test. */
export interface Warehouse extends TestDatabase {
  readonly schema: string;
  readonly layout: LayoutName;
  readonly streams: readonly SourceStream[];
  readonly catalog: Catalog;
  /** De-nests and loads records as one page of a slice of their own; gives the counts. */
  load(stream: SourceStream, records: readonly JsonRecord[], options?: Options): Promise<Counts>;
  /** Records that a page brings of another stream. */
  effect(stream: SourceStream, records: readonly JsonRecord[]): EffectBatch;
  /** A new slice, planned and open. */
  slice(stream: SourceStream, job?: string, bookmarkOnClose?: Instant): Promise<SliceRef>;
  rows(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** All rows of a table, in the order of keys and positions. */
  table(name: string, columns?: string): Promise<Record<string, unknown>[]>;
  /** Another worker's copy of the names. */
  otherCatalog(): Promise<Catalog>;
}

/** Key and levels, by whatever name the layout has for the key. */
const ROW_ORDER = ['_sdc_source_key_id', 'id', '_sdc_level_0_id', '_sdc_level_1_id']
  .map((name) => `to_jsonb(t)->'${name}'`)
  .join(', ');

let sliceCount = 0;

/** Which connection is opened, when it is not the one of the other tests. */
export interface Place {
  readonly database?: TestDatabase;
  readonly schema?: string;
  readonly streams?: readonly SourceStream[];
}

export async function openWarehouse(
  layout: LayoutName = 'stitch',
  place: Place = {},
): Promise<Warehouse> {
  const { database = await testDatabase(), schema = SCHEMA, streams = STREAMS } = place;
  await migrate(database.url);
  return openSchema(database, layout, schema, streams);
}

export async function migratedDatabase(): Promise<TestDatabase> {
  const database = await testDatabase();
  await migrate(database.url);
  return database;
}

/** Another connection, with streams of its own, in a migrated database that may have others. */
export async function openSchema(
  database: TestDatabase,
  layout: LayoutName,
  schema = SCHEMA,
  streams: readonly SourceStream[] = STREAMS,
): Promise<Warehouse> {
  const { pool } = database;
  await openConnection(pool, {
    ...{ schema, name: 'Stitch Closeio', layout, organizationId: 'orga_1' },
    ...{ startDate: FROM, liveFrom: LIVE_FROM, workflowId: `close-${schema}` },
    isOwnerRunning: () => Promise.resolve(false),
  });
  await registerStreams(pool, schema, streams, LIVE_FROM);
  const catalog = await Catalog.open(pool, schema, layout, streams);

  const rows: Warehouse['rows'] = async (text, values = []) =>
    (await pool.query<Record<string, unknown>>(text, [...values])).rows;
  const slice: Warehouse['slice'] = async (stream, job = 'initial', bookmarkOnClose) => {
    sliceCount += 1;
    const from = new Date(Date.UTC(2024, 0, 1) + sliceCount * 1000).toISOString();
    const planned = {
      ...{ stream: stream.name, part: stream.parts[0]?.name ?? '', to: LIVE_FROM },
      ...{ from: from.replace('Z', '000Z') as Instant, bookmarkOnClose: bookmarkOnClose ?? null },
    };
    await inTransaction(pool, (client) => planCheckpoints(client, schema, job, [planned]));
    return { schema, job, stream: stream.name, slice: sliceId(planned) };
  };
  return {
    ...database,
    ...{ schema, layout, streams, catalog, rows, slice },
    otherCatalog: () => Catalog.open(pool, schema, layout, streams),
    table: (name, columns = '*') =>
      rows(`SELECT ${columns} FROM ${quote(schema)}.${quote(name)} t ORDER BY ${ROW_ORDER}`),
    effect(stream, records) {
      const batch = loadable(denestPage(records, stream, LAYOUTS[layout]));
      return { stream: stream.name, ...batch, tombstones: [] };
    },
    async load(stream, records, options = {}) {
      const batch = loadable(denestPage(records, stream, LAYOUTS[layout]));
      const { effects, pass, note, isSkipped } = options;
      return loadPage(
        {
          ref: options.ref ?? (await slice(stream)),
          ...{ version: options.version ?? 0, receivedAt: options.receivedAt ?? RECEIVED_AT },
          ...(effects !== undefined && { effects }),
          ...(pass !== undefined && { pass }),
          ...(note !== undefined && { note }),
          ...(isSkipped !== undefined && { isSkipped }),
          ...{ ...batch, rejects: [...batch.rejects, ...(options.rejects ?? [])] },
          ...{ next: options.next ?? null, totalRecords: null, requests: 1 },
        },
        {
          pool: options.pool ?? pool,
          catalog: options.catalog ?? catalog,
          probe: options.probe ?? ((): void => undefined),
        },
      );
    },
  };
}

/** Counts with what is not named being 0. */
export function counts(some: Partial<Counts>): Counts {
  const none = { inserted: 0, updated: 0, unchanged: 0, stale: 0, rejected: 0, rows: 0 };
  return { fetched: 0, ...none, ...some };
}

/** A version of a record by its second. */
export function at(second: number): string {
  return `2025-06-01T00:00:${String(second).padStart(2, '0')}.000001+00:00`;
}
