/** The tables of the test connection made anew: what the tests of a rebuild share. */
import type { Instant } from '../../src/core/instant.js';
import { denestPage } from '../../src/core/denest.js';
import type { LayoutName } from '../../src/core/layout.js';
import { rebuildSchema, replacedSchema } from '../../src/core/naming.js';
import type { SourceStream } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { sliceId } from '../../src/core/stream.js';
import { Catalog } from '../../src/postgres/catalog.js';
import { planCheckpoints } from '../../src/postgres/checkpoints.js';
import { loadPage } from '../../src/postgres/load.js';
import { loadable } from '../../src/postgres/loadable.js';
import { inTransaction } from '../../src/postgres/pool.js';
import { openRebuild, swapRebuild } from '../../src/postgres/rebuild.js';
import {
  ACTIVITIES,
  at,
  FROM,
  LEADS,
  openWarehouse,
  RECEIVED_AT,
  SCHEMA,
  STREAMS,
  type Warehouse,
} from './warehouse.js';

export const SHADOW = rebuildSchema(SCHEMA);
export const REPLACED = replacedSchema(SCHEMA);
export const REBUILT_FROM = '2026-03-01T00:00:00.000000Z' as Instant;

export interface Rebuilding extends Warehouse {
  openRebuild(layout?: LayoutName): Promise<void>;
  /** Loads one page into the tables that are made anew. */
  loadNew(stream: SourceStream, records: readonly JsonRecord[], catalog: Catalog): Promise<void>;
  newCatalog(layout?: LayoutName): Promise<Catalog>;
  /** Makes the new tables, whole: two leads, one of them new, and an activity. */
  rebuilt(layout?: LayoutName): Promise<Catalog>;
  swap(): Promise<readonly string[]>;
  /** The schemas of the connection that there are. */
  schemas(): Promise<unknown[]>;
  /** The column `name`, in order. */
  names(from: string): Promise<unknown[]>;
}

export function lead(id: string, name: string): JsonRecord {
  return { id: `lead_${id}`, date_updated: at(1), name, contacts: [{ name: `${name}'s contact` }] };
}

/** Two leads and an activity, whose rows say `before`. */
export async function openRebuilding(): Promise<Rebuilding> {
  const warehouse = await openWarehouse();
  const { pool } = warehouse;
  await warehouse.load(LEADS, [lead('old', 'before'), lead('kept', 'before')]);
  await warehouse.load(ACTIVITIES, [{ id: 'acti_1', date_updated: at(1), to: ['a', 'b'] }]);

  const open: Rebuilding['openRebuild'] = (layout = 'stitch') =>
    openRebuild(pool, { schema: SCHEMA, layout, streams: STREAMS, liveFrom: REBUILT_FROM });
  const newCatalog: Rebuilding['newCatalog'] = (layout = 'stitch') =>
    Catalog.open(pool, SHADOW, layout, STREAMS);
  const loadNew: Rebuilding['loadNew'] = async (stream, records, catalog) => {
    const planned = { stream: stream.name, part: stream.parts[0]?.name ?? '', from: FROM };
    const slice = { ...planned, to: REBUILT_FROM, bookmarkOnClose: null };
    await inTransaction(pool, (client) => planCheckpoints(client, SHADOW, 'initial', [slice]));
    const ref = { schema: SHADOW, job: 'initial', stream: stream.name, slice: sliceId(slice) };
    await loadPage(
      {
        ...loadable(denestPage(records, stream, catalog.layout)),
        ...{ ref, version: 0, receivedAt: RECEIVED_AT },
        ...{ next: null, totalRecords: null, requests: 1 },
      },
      { pool, catalog, probe: () => undefined },
    );
  };
  return {
    ...warehouse,
    ...{ openRebuild: open, newCatalog, loadNew },
    async rebuilt(layout) {
      await open(layout);
      const catalog = await newCatalog(layout);
      await loadNew(LEADS, [lead('kept', 'after'), lead('new', 'after')], catalog);
      await loadNew(ACTIVITIES, [{ id: 'acti_2', date_updated: at(2), to: ['c'] }], catalog);
      return catalog;
    },
    swap: () => swapRebuild(pool, SCHEMA, ['activities']),
    schemas: async () =>
      (
        await warehouse.rows(
          `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE '${SCHEMA}%' ORDER BY 1`,
        )
      ).map(({ name }) => name),
    names: async (from) =>
      (await warehouse.rows(`SELECT name FROM ${from} ORDER BY name`)).map(({ name }) => name),
  };
}
