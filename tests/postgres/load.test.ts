import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonRecord } from '../../src/core/record.js';
import type { Counts } from '../../src/postgres/checkpoints.js';
import { readCheckpoint } from '../../src/postgres/checkpoints.js';
import { createPool } from '../../src/postgres/pool.js';
import { until } from '../support/stack.js';
import {
  ACTIVITIES,
  at,
  counts,
  LEADS,
  openWarehouse,
  SCHEMA,
  type Warehouse,
} from './warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
  // So that the tables are there, and a page is nothing but its own transaction.
  await warehouse.load(LEADS, [lead('lead_0', 1, { contacts: [{ name: 'x', emails: ['y'] }] })]);
});
afterAll(() => warehouse.close());
beforeEach(async () => {
  await warehouse.rows(
    `TRUNCATE ${SCHEMA}.leads, ${SCHEMA}.leads__contacts, ${SCHEMA}.leads__contacts__emails, ${SCHEMA}._sdc_rejected`,
  );
});

function lead(id: string, second: number, fields: JsonRecord = {}): JsonRecord {
  return { id, date_updated: at(second), ...fields };
}

/** Begins another page at a point of this one, which goes on when the other waits for it. */
function holdingUp(at: string, load: () => Promise<Counts>) {
  let other: Promise<Counts> | undefined;
  let isDone = false;
  const probe = async (point: string): Promise<void> => {
    if (point !== at || other !== undefined) return;
    other = load().finally(() => (isDone = true));
    await until('the other worker to wait for this page', async () => {
      const waiting = await warehouse.rows(
        `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return isDone || waiting.length > 0;
    });
  };
  return { probe, other: () => other };
}

function sum({ inserted, updated, unchanged, stale, rejected }: Counts): number {
  return inserted + updated + unchanged + stale + rejected;
}

describe('a page', () => {
  const page = [
    lead('lead_1', 1, { contacts: [{ name: 'Gob', emails: ['a', 'b'] }] }),
    lead('lead_2', 1, { name: 'Two' }),
    { date_updated: at(1), name: 'without id' },
  ];

  async function written(): Promise<Record<string, unknown>[]> {
    return warehouse.rows(
      `SELECT (SELECT count(*) FROM ${SCHEMA}.leads) AS leads,
              (SELECT count(*) FROM ${SCHEMA}.leads__contacts__emails) AS emails,
              (SELECT count(*) FROM ${SCHEMA}._sdc_rejected) AS rejected`,
    );
  }

  it('commits rows, subtables, rejects and checkpoint together', async () => {
    const ref = await warehouse.slice(LEADS);
    const loaded = await warehouse.load(LEADS, page, { ref, next: { cursor: 'abc' } });
    expect(loaded).toEqual(counts({ fetched: 3, inserted: 2, rejected: 1, rows: 5 }));
    expect(await written()).toEqual([{ leads: 2, emails: 2, rejected: 1 }]);
    expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({
      ...{ version: 1, isDone: false, position: { cursor: 'abc' } },
    });
  });

  it.each(['fence-taken', 'roots-merged', 'rows-written', 'checkpoint-moved'])(
    'leaves nothing when it fails at %s, and loads in full at the next try',
    async (point) => {
      const ref = await warehouse.slice(LEADS);
      const probe = (reached: string): void => {
        if (reached === point) throw new Error('injected');
      };
      await expect(warehouse.load(LEADS, page, { ref, probe })).rejects.toThrow();
      expect(await written()).toEqual([{ leads: 0, emails: 0, rejected: 0 }]);
      expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({
        version: 0,
        isDone: false,
      });

      await warehouse.load(LEADS, page, { ref });
      expect(await written()).toEqual([{ leads: 2, emails: 2, rejected: 1 }]);
      expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ version: 1, isDone: true });
    },
  );

  it('closes its slice when there is no next position, and a closed slice takes no more', async () => {
    const ref = await warehouse.slice(LEADS);
    await warehouse.load(LEADS, [], { ref });
    expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ isDone: true, version: 1 });
    await expect(warehouse.load(LEADS, page, { ref, version: 1 })).rejects.toMatchObject({
      code: 'SLICE_TAKEN',
    });
    expect(await written()).toEqual([{ leads: 0, emails: 0, rejected: 0 }]);
  });

  it('is written by one of two loaders that hold the same version', async () => {
    const ref = await warehouse.slice(LEADS);
    const load = (name: string): Promise<Counts> =>
      warehouse.load(LEADS, [lead(`lead_${name}`, 1)], { ref, next: { page: name } });
    const results = await Promise.allSettled([load('a'), load('b')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [refused] = results.filter((result) => result.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'SLICE_TAKEN', recovery: 'retry' });
    expect(await warehouse.table('leads', 'id')).toHaveLength(1);
    expect(await readCheckpoint(warehouse.pool, ref)).toMatchObject({ version: 1 });
  });

  it('is lost nowhere and doubled nowhere by three loaders at once over 100 pages', async () => {
    const ref = await warehouse.slice(ACTIVITIES);
    const pool = createPool({ url: warehouse.url, sizeMax: 3, applicationName: 'three' });
    const pageOf = (version: number): JsonRecord[] =>
      [0, 1, 2].map((n) => ({
        id: `acti_${version}_${n}`,
        date_updated: at(n),
        to: ['x', 'y'],
      }));
    let taken = 0;
    const loader = async (): Promise<void> => {
      const catalog = await warehouse.otherCatalog();
      for (;;) {
        const checkpoint = await readCheckpoint(pool, ref);
        if (checkpoint === undefined || checkpoint.isDone) return;
        const { version } = checkpoint;
        const next = version === 99 ? null : { page: version + 1 };
        await warehouse
          .load(ACTIVITIES, pageOf(version), { ref, version, next, catalog, pool })
          .catch((error: { code?: string }) => {
            if (error.code !== 'SLICE_TAKEN') throw error;
            taken += 1;
          });
      }
    };
    await Promise.all([loader(), loader(), loader()]);
    await pool.end();
    const [all] = await warehouse.rows(
      `SELECT count(*) AS rows, count(DISTINCT id) AS ids,
              (SELECT count(*) FROM ${SCHEMA}.activities__to) AS children
         FROM ${SCHEMA}.activities`,
    );
    expect(all).toEqual({ rows: 300, ids: 300, children: 600 });
    const [stored] = await warehouse.rows(
      'SELECT version, pages, fetched, inserted FROM closehaul.checkpoints WHERE slice = $1',
      [ref.slice],
    );
    expect(stored).toEqual({ version: 100, pages: 100, fetched: 300, inserted: 300 });
    // Else the loaders never met, and the test said nothing.
    expect(taken).toBeGreaterThan(0);
  });
});

describe('an upserted record', () => {
  it('is replaced by a newer version', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { name: 'old' })]);
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 2, { name: 'new' })]);
    expect(loaded).toEqual(counts({ fetched: 1, updated: 1, rows: 1 }));
    expect(await warehouse.table('leads', 'id, name')).toEqual([{ id: 'lead_1', name: 'new' }]);
  });

  it('is replaced by other content of the same version', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { name: 'before' })]);
    const loaded = await warehouse.load(LEADS, [lead('lead_1', 1, { name: 'after' })]);
    expect(loaded.updated).toBe(1);
    expect(await warehouse.table('leads', 'name')).toEqual([{ name: 'after' }]);
  });

  it('keeps the newer version and its subtables when an older one arrives', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 5, { name: 'new', contacts: [{ name: 'A' }] })]);
    const older = lead('lead_1', 4, { name: 'old', contacts: [{ name: 'B' }, { name: 'C' }] });
    const loaded = await warehouse.load(LEADS, [older, lead('lead_2', 1)]);
    expect(loaded).toEqual(counts({ fetched: 2, inserted: 1, stale: 1, rows: 1 }));
    expect(await warehouse.table('leads', 'id, name')).toMatchObject([{ name: 'new' }, {}]);
    expect(await warehouse.table('leads__contacts', 'items__name')).toEqual([{ items__name: 'A' }]);
  });

  it('compares versions to the microsecond', async () => {
    const versions = ['00.000002', '00.000001'].map((second) => ({
      ...{ id: 'lead_1', date_updated: `2025-06-01T00:00:${second}Z`, name: second },
    }));
    for (const version of versions) await warehouse.load(LEADS, [version]);
    expect(await warehouse.table('leads', 'name')).toEqual([{ name: '00.000002' }]);
  });

  it('is not written again when nothing in it changed', async () => {
    const record = lead('lead_1', 1, { name: 'same', contacts: [{ name: 'A' }] });
    const place = 'SELECT xmin::text, xmax::text, ctid::text FROM';
    await warehouse.load(LEADS, [record]);
    const before = [
      await warehouse.rows(`${place} ${SCHEMA}.leads`),
      await warehouse.rows(`${place} ${SCHEMA}.leads__contacts`),
    ];
    const reordered = Object.fromEntries(Object.entries(record).reverse());
    const loaded = await warehouse.load(LEADS, [reordered]);
    expect(loaded).toEqual(counts({ fetched: 1, unchanged: 1 }));
    expect([
      await warehouse.rows(`${place} ${SCHEMA}.leads`),
      await warehouse.rows(`${place} ${SCHEMA}.leads__contacts`),
    ]).toEqual(before);
  });

  it('replaces its subtable rows: fewer, in another order, none', async () => {
    const contacts = async (second: number, names: readonly string[]): Promise<unknown[]> => {
      const record = lead('lead_1', second, { contacts: names.map((name) => ({ name })) });
      await warehouse.load(LEADS, [record]);
      return warehouse.table('leads__contacts', '_sdc_level_0_id AS at, items__name AS name');
    };
    expect(await contacts(1, ['A', 'B', 'C'])).toHaveLength(3);
    expect(await contacts(2, ['C', 'A'])).toEqual([
      { at: 0, name: 'C' },
      { at: 1, name: 'A' },
    ]);
    expect(await contacts(3, [])).toEqual([]);
    expect(await contacts(4, ['A'])).toHaveLength(1);
    await warehouse.load(LEADS, [lead('lead_1', 5)]);
    expect(await warehouse.table('leads__contacts')).toEqual([]);
  });

  it('comes twice in a page and the newest stays', async () => {
    const page = [
      lead('lead_1', 2, { name: 'second', contacts: [{ name: 'B' }] }),
      lead('lead_1', 3, { name: 'third', contacts: [{ name: 'C' }] }),
      lead('lead_1', 1, { name: 'first', contacts: [{ name: 'A' }, { name: 'A2' }] }),
      lead('lead_1', 3, { name: 'third', contacts: [{ name: 'C' }] }),
    ];
    const loaded = await warehouse.load(LEADS, page);
    expect(loaded).toEqual(counts({ fetched: 4, inserted: 1, unchanged: 1, stale: 2, rows: 2 }));
    expect(await warehouse.table('leads', 'name')).toEqual([{ name: 'third' }]);
    expect(await warehouse.table('leads__contacts', 'items__name AS name')).toEqual([
      { name: 'C' },
    ]);
  });

  it('has NULL in a field that became null or is not sent any more', async () => {
    await warehouse.load(LEADS, [lead('lead_1', 1, { name: 'n', url: 'u' })]);
    await warehouse.load(LEADS, [lead('lead_1', 2, { name: null })]);
    expect(await warehouse.table('leads', 'name, url')).toEqual([{ name: null, url: null }]);
  });

  it('has NULL also when the worker that loads it never met the field', async () => {
    const old = await warehouse.otherCatalog();
    await warehouse.load(LEADS, [lead('lead_1', 1, { met_by_one_worker: 'x' })]);
    await warehouse.load(LEADS, [lead('lead_1', 2)], { catalog: old });
    expect(await warehouse.table('leads', 'met_by_one_worker AS met')).toEqual([{ met: null }]);
  });

  it('waits with the names of its page until another worker has made its column', async () => {
    const old = await warehouse.otherCatalog();
    const met = lead('lead_1', 1, { met_meanwhile: 'x' });
    // The other worker makes its column after this page has looked which names there are.
    const { probe, other } = holdingUp('fence-taken', () => warehouse.load(LEADS, [met]));
    await warehouse.load(LEADS, [lead('lead_1', 2)], { catalog: old, probe });
    await other();
    expect(await warehouse.table('leads', 'met_meanwhile AS met')).toEqual([{ met: null }]);
  });

  it('without a version gives way to one with a version, and never the other way round', async () => {
    await warehouse.load(LEADS, [{ id: 'lead_1', name: 'none' }]);
    await warehouse.load(LEADS, [lead('lead_1', 1, { name: 'dated' })]);
    const loaded = await warehouse.load(LEADS, [{ id: 'lead_1', name: 'none again' }]);
    expect(loaded.stale).toBe(1);
    expect(await warehouse.table('leads', 'name')).toEqual([{ name: 'dated' }]);
  });

  it('has one `_sdc_sequence` with its subtable rows, and a higher one in each version', async () => {
    const sequences = async (second: number): Promise<unknown[]> => {
      await warehouse.load(LEADS, [lead('lead_1', second, { contacts: [{ name: 'A' }] })]);
      return warehouse.rows(
        `SELECT _sdc_sequence::text AS sequence FROM ${SCHEMA}.leads UNION
         SELECT _sdc_sequence::text FROM ${SCHEMA}.leads__contacts`,
      );
    };
    const [first, ...none] = (await sequences(1)) as { sequence: string }[];
    expect(none).toEqual([]);
    const [second] = (await sequences(2)) as { sequence: string }[];
    expect(first?.sequence).toMatch(/^\d{19}$/);
    expect(BigInt(second?.sequence ?? 0)).toBeGreaterThan(BigInt(first?.sequence ?? 0));
  });
});

describe('a new record that two pages bring at once', () => {
  it('is there once: the second finds it when the first has committed', async () => {
    const both = { ...lead('lead_1', 1), contacts: [{ name: 'A' }] };
    const { probe, other } = holdingUp('rows-written', () =>
      warehouse.load(LEADS, [both, lead('lead_2', 1)]),
    );
    await warehouse.load(LEADS, [both], { probe });
    expect(await other()).toEqual(counts({ fetched: 2, inserted: 1, unchanged: 1, rows: 1 }));
    expect(await warehouse.table('leads', 'id')).toEqual([{ id: 'lead_1' }, { id: 'lead_2' }]);
    expect(await warehouse.table('leads__contacts', 'id')).toEqual([{ id: 'lead_1' }]);
  });

  it('stays in its newer version, whichever came first', async () => {
    const named = (name: string): JsonRecord => ({ name, contacts: [{ name }] });
    const { probe, other } = holdingUp('rows-written', () =>
      warehouse.load(LEADS, [lead('lead_1', 1, named('old'))]),
    );
    await warehouse.load(LEADS, [lead('lead_1', 2, named('new'))], { probe });
    expect(await other()).toEqual(counts({ fetched: 1, stale: 1 }));
    expect(await warehouse.table('leads', 'name')).toEqual([{ name: 'new' }]);
    expect(await warehouse.table('leads__contacts', 'items__name AS name')).toEqual([
      { name: 'new' },
    ]);
  });
});

it('accounts for every record of a mixed page, whatever happened to each', async () => {
  await warehouse.load(LEADS, [lead('lead_1', 5), lead('lead_2', 5), lead('lead_3', 5)]);
  const loaded = await warehouse.load(LEADS, [
    lead('lead_1', 6),
    lead('lead_2', 5),
    lead('lead_3', 4),
    lead('lead_4', 1),
    lead('lead_4', 1),
    { id: 7, date_updated: at(1) },
    { id: 'lead_8', _sdc_mine: 1 },
  ]);
  expect(loaded).toEqual(
    counts({ fetched: 7, inserted: 1, updated: 1, unchanged: 2, stale: 1, rejected: 2, rows: 2 }),
  );
  expect(sum(loaded)).toBe(loaded.fetched);
});
