import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instant } from '../../src/core/instant.js';
import { Catalog } from '../../src/postgres/catalog.js';
import { readBookmarks, readConnection } from '../../src/postgres/connections.js';
import { dropReplaced, openRebuild, readRebuildLayout } from '../../src/postgres/rebuild.js';
import { listConnections, listRuns, readStreamCounts } from '../../src/postgres/report.js';
import { beginRun, endRun } from '../../src/postgres/runs.js';
import {
  lead,
  openRebuilding,
  REBUILT_FROM,
  REPLACED,
  SHADOW,
  type Rebuilding,
} from './rebuilding.js';
import { LEADS, SCHEMA, STREAMS } from './warehouse.js';

let warehouse: Rebuilding;
beforeEach(async () => {
  warehouse = await openRebuilding();
});
afterEach(() => warehouse.close());

const run = (text: string): Promise<Record<string, unknown>[]> => warehouse.rows(text);

const keepField = (schema: string, label: string): Promise<unknown> =>
  run(`INSERT INTO closehaul.custom_fields (schema_name, family, field_id, label)
       VALUES ('${schema}', 'lead', 'cf_1', '${label}')`);

describe('tables that are made anew', () => {
  it('are beside the old ones until they take their place, and the old ones are dropped', async () => {
    await warehouse.rebuilt();
    expect(await warehouse.table('leads', 'id, name')).toMatchObject([
      { id: 'lead_kept', name: 'before' },
      { id: 'lead_old', name: 'before' },
    ]);
    expect(await warehouse.schemas()).toEqual([SCHEMA, SHADOW]);
    expect(await warehouse.swap()).toEqual([]);
    expect(await warehouse.table('leads', 'id, name')).toMatchObject([
      { id: 'lead_kept', name: 'after' },
      { id: 'lead_new', name: 'after' },
    ]);
    expect(await run(`SELECT id FROM ${SCHEMA}.activities_current`)).toEqual([{ id: 'acti_2' }]);
    expect(await warehouse.schemas()).toEqual([SCHEMA, REPLACED]);
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
    expect(await warehouse.schemas()).toEqual([SCHEMA]);
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
  });

  it('bring their own state, and no gap: the live lane goes on where they begin', async () => {
    const before = await readConnection(warehouse.pool, SCHEMA);
    await keepField(SCHEMA, 'Old');
    await warehouse.rebuilt('jsonb');
    await keepField(SHADOW, 'New');
    await warehouse.swap();
    expect(await readConnection(warehouse.pool, SCHEMA)).toEqual({
      ...before,
      ...{ layout: 'jsonb', liveFrom: REBUILT_FROM },
    });
    expect(await readConnection(warehouse.pool, SHADOW)).toBeUndefined();
    expect(await readRebuildLayout(warehouse.pool, SCHEMA)).toBeUndefined();
    const bookmarks = await readBookmarks(warehouse.pool, SCHEMA);
    expect(bookmarks.map(({ bookmark }) => bookmark)).toEqual([REBUILT_FROM, REBUILT_FROM]);
    expect(await run('SELECT schema_name, label FROM closehaul.custom_fields')).toEqual([
      { schema_name: SCHEMA, label: 'New' },
    ]);
    for (const table of ['checkpoints', 'streams', 'warehouse_tables', 'warehouse_columns']) {
      const rows = await run(`SELECT DISTINCT schema_name FROM closehaul.${table}`);
      expect(rows, table).toEqual([{ schema_name: SCHEMA }]);
    }
  });

  it('are no connection of their own for those who look', async () => {
    await warehouse.rebuilt();
    expect(await listConnections(warehouse.pool)).toMatchObject([{ schema: SCHEMA }]);
  });

  it('keep every run, of the old tables and of the new ones', async () => {
    const begin = (schema: string, kind: 'initial' | 'rebuild'): Promise<unknown> =>
      beginRun(warehouse.pool, { schema, job: 'initial', run: `${kind}/1`, kind }, () => []);
    await begin(SCHEMA, 'initial');
    await endRun(
      warehouse.pool,
      { schema: SCHEMA, job: 'initial', run: 'initial/1', kind: 'initial' },
      {},
    );
    await warehouse.rebuilt();
    await begin(SHADOW, 'rebuild');
    const kinds = async (): Promise<unknown[]> => [
      ...new Set((await listRuns(warehouse.pool, SCHEMA, 9)).map(({ kind }) => kind)),
    ];
    expect(await kinds()).toEqual(['rebuild', 'initial']);
    await endRun(
      warehouse.pool,
      { schema: SHADOW, job: 'initial', run: 'rebuild/1', kind: 'rebuild' },
      {},
    );
    await warehouse.swap();
    expect(await kinds()).toEqual(['rebuild', 'initial']);
    expect(await readStreamCounts(warehouse.pool, SCHEMA)).toEqual([
      { name: 'activities', rows: 1, bookmark: REBUILT_FROM },
      { name: 'leads', rows: 2, bookmark: REBUILT_FROM },
    ]);
  });

  it('reach as far back as any backfill did', async () => {
    const slice = await warehouse.slice(LEADS, 'backfill/old');
    await run(
      `UPDATE closehaul.checkpoints SET from_at = '2019-05-01' WHERE slice = '${slice.slice}'`,
    );
    await warehouse.openRebuild();
    const stored = await readConnection(warehouse.pool, SHADOW);
    expect(stored?.startDate).toBe('2019-05-01T00:00:00.000000Z');
  });

  it('change places once, however often and by however many it is asked', async () => {
    await warehouse.rebuilt();
    await run(`CREATE MATERIALIZED VIEW public.report AS SELECT name FROM ${SCHEMA}.leads`);
    const all = await Promise.all([warehouse.swap(), warehouse.swap(), warehouse.swap()]);
    const again = await warehouse.swap();
    const left = ['materialized view public.report'];
    expect([...all, again]).toEqual([left, left, left, left]);
    expect(await warehouse.names(`${SCHEMA}.leads`)).toEqual(['after', 'after']);
    expect(await readConnection(warehouse.pool, SCHEMA)).toMatchObject({ liveFrom: REBUILT_FROM });
  });

  it('stay out of it when the swap fails at its end', async () => {
    await warehouse.rebuilt();
    await run(`CREATE VIEW public.report AS SELECT name FROM ${SCHEMA}.leads`);
    await run(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'no'; END $$`);
    await run(`CREATE TRIGGER refuse BEFORE DELETE ON closehaul.connections
               EXECUTE FUNCTION public.refuse()`);
    await expect(warehouse.swap()).rejects.toThrow();
    await run('DROP TRIGGER refuse ON closehaul.connections');
    expect(await warehouse.names('public.report')).toEqual(['before', 'before']);
    expect(await warehouse.schemas()).toEqual([SCHEMA, SHADOW]);
    expect(await warehouse.swap()).toEqual([]);
    expect(await warehouse.names('public.report')).toEqual(['after', 'after']);
  });
});

describe('a rebuild that is begun', () => {
  it('again goes on with what is there, and its beginning stays where it was', async () => {
    await warehouse.rebuilt();
    await openRebuild(warehouse.pool, {
      ...{ schema: SCHEMA, layout: 'stitch', streams: STREAMS },
      liveFrom: '2026-04-01T00:00:00.000000Z' as Instant,
    });
    expect(await readConnection(warehouse.pool, SHADOW)).toMatchObject({ liveFrom: REBUILT_FROM });
    expect(await warehouse.names(`${SHADOW}.leads`)).toEqual(['after', 'after']);
  });

  it('with another layout begins from nothing, under names that nobody remembers', async () => {
    const catalog = await warehouse.rebuilt('stitch');
    await warehouse.openRebuild('jsonb');
    expect(await readRebuildLayout(warehouse.pool, SCHEMA)).toBe('jsonb');
    const fresh = await warehouse.newCatalog('jsonb');
    expect(fresh.version).toBeGreaterThan(catalog.version);
    expect(await run(`SELECT to_regclass('${SHADOW}.leads') AS name`)).toEqual([{ name: null }]);
    await warehouse.loadNew(LEADS, [lead('new', 'after')], fresh);
    await warehouse.swap();
    expect(await warehouse.names(`${SCHEMA}.leads`)).toEqual(['after']);
  });

  it('is refused while somebody uses the half made tables of another layout', async () => {
    await warehouse.rebuilt('stitch');
    await run(`CREATE VIEW public.curious AS SELECT name FROM ${SHADOW}.leads`);
    await expect(warehouse.openRebuild('jsonb')).rejects.toMatchObject({
      code: 'REBUILD_IN_USE',
      message: expect.stringContaining('view public.curious') as string,
    });
    expect(await warehouse.names('public.curious')).toEqual(['after', 'after']);
  });

  it('is refused while the old tables of another are there', async () => {
    await warehouse.rebuilt();
    await warehouse.swap();
    await expect(warehouse.openRebuild()).rejects.toMatchObject({
      code: 'REBUILD_OLD_TABLES_LEFT',
    });
    await dropReplaced(warehouse.pool, SCHEMA);
    await warehouse.openRebuild();
    expect(await warehouse.schemas()).toEqual([SCHEMA, SHADOW]);
  });
});

describe('a worker that remembers the old tables', () => {
  it.each(['stitch', 'jsonb'] as const)('writes nothing into new ones of %s', async (layout) => {
    const old = await warehouse.otherCatalog();
    const shadow = await warehouse.rebuilt(layout);
    await warehouse.swap();
    const late = { ...lead('late', 'late'), unheard: 1 };
    for (const record of [lead('late', 'late'), late]) {
      await expect(
        warehouse.load(LEADS, [record], { catalog: old, ref: await warehouse.slice(LEADS) }),
      ).rejects.toMatchObject({ code: 'WAREHOUSE_REBUILT' });
      await expect(warehouse.loadNew(LEADS, [record], shadow)).rejects.toThrow();
    }
    await expect(shadow.repair()).rejects.toMatchObject({ code: 'WAREHOUSE_REBUILT' });
    expect(await warehouse.names(`${SCHEMA}.leads`)).toEqual(['after', 'after']);
    expect(await warehouse.schemas()).toEqual([SCHEMA, REPLACED]);
    const fresh = await Catalog.open(warehouse.pool, SCHEMA, layout, STREAMS);
    expect(fresh.version).toBeGreaterThan(Math.max(old.version, shadow.version));
  });

  it('of one rebuild does not take them for those of the next', async () => {
    const first = await warehouse.rebuilt();
    await warehouse.swap();
    await dropReplaced(warehouse.pool, SCHEMA);
    await warehouse.openRebuild();
    await expect(warehouse.loadNew(LEADS, [lead('new', 'late')], first)).rejects.toMatchObject({
      code: 'WAREHOUSE_REBUILT',
    });
  });
});

it('every key that refers to a connection follows it when it is renamed', async () => {
  const stiff = await run(
    `SELECT conrelid::regclass::text AS name FROM pg_constraint
      WHERE contype = 'f' AND confupdtype <> 'c' AND connamespace = 'closehaul'::regnamespace
        AND confrelid <> 'closehaul.runs'::regclass`,
  );
  expect(stiff).toEqual([]);
});
