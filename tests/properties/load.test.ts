import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { SourceStream } from '../../src/core/ports.js';
import type { JsonRecord, JsonValue } from '../../src/core/record.js';
import { difference, readBack } from '../postgres/read-back.js';
import {
  ACTIVITIES,
  at,
  LEADS,
  migratedDatabase,
  openSchema,
  type Warehouse,
} from '../postgres/warehouse.js';
import type { TestDatabase } from '../support/stack.js';
import { record } from './seeded.js';

/** Each example takes a schema of its own, on a real PostgreSQL: few of them, and each a long one. */
const RUNS = {
  numRuns: fc.readConfigureGlobal().numRuns ?? 10,
  // To make a failing example smaller takes long: what there is then is shown, with its seed.
  interruptAfterTimeLimit: 30_000,
};
const CASES = (Object.keys(LAYOUTS) as LayoutName[]).flatMap((layout) =>
  [LEADS, ACTIVITIES].map((stream) => [layout, stream.name, stream] as const),
);

let database: TestDatabase;
beforeAll(async () => {
  database = await migratedDatabase();
});
afterAll(() => database.close());

let schemas = 0;

async function loadAll(
  layout: LayoutName,
  stream: SourceStream,
  pages: readonly (readonly JsonRecord[])[],
): Promise<Warehouse> {
  schemas += 1;
  const warehouse = await openSchema(database, layout, `example_${schemas}`);
  for (const page of pages) {
    expect((await warehouse.load(stream, page)).rejected).toBe(0);
  }
  return warehouse;
}

/** Versions of up to three records; two of one record never have one time. Null is older than all. */
function versionsOf(fields: fc.Arbitrary<JsonRecord>): fc.Arbitrary<JsonRecord[]> {
  const version = fc.record({
    id: fc.constantFrom('rec_1', 'rec_2', 'rec_3'),
    second: fc.option(fc.integer({ min: 1, max: 9 }), { nil: null }),
    fields,
  });
  return fc
    .uniqueArray(version, {
      ...{ minLength: 1, maxLength: 8 },
      selector: ({ id, second }) => `${id} ${second}`,
    })
    .map((all) =>
      all.map((each) =>
        Object.fromEntries<JsonValue>([
          ...Object.entries(each.fields),
          ['id', each.id],
          ['date_updated', each.second === null ? null : at(each.second)],
        ]),
      ),
    );
}

/** The same versions in any order, some of them twice, in pages of any size. */
function arrivals(versions: readonly JsonRecord[]): fc.Arbitrary<JsonRecord[][]> {
  const all = [...versions, ...versions.slice(0, 2)];
  return fc
    .tuple(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: all.length, maxLength: all.length }),
    )
    .map(([order, sizes]) => {
      const pages: JsonRecord[][] = [];
      for (let start = 0; start < order.length; start += sizes[pages.length - 1] ?? 1) {
        pages.push(order.slice(start, start + (sizes[pages.length] ?? 1)));
      }
      return pages;
    });
}

/** What must be there: of an upserted record its newest version, of an appended one each. */
function expectedOf(stream: SourceStream, versions: readonly JsonRecord[]): JsonRecord[] {
  if (stream.loading === 'append') return [...versions];
  const newest = new Map<string, JsonRecord>();
  const timeOf = (each: JsonRecord | undefined): string => (each?.['date_updated'] ?? '') as string;
  for (const version of versions) {
    const id = version['id'] as string;
    if (!newest.has(id) || timeOf(version) > timeOf(newest.get(id))) newest.set(id, version);
  }
  return [...newest.values()];
}

async function expectExactly(
  warehouse: Warehouse,
  stream: SourceStream,
  expected: readonly JsonRecord[],
): Promise<void> {
  const stored = [...(await readBack(warehouse, stream.name))].flatMap(([id, all]) =>
    all.map((leaves) => ({ id, leaves })),
  );
  for (const version of expected) {
    const index = stored.findIndex(
      ({ id, leaves }) => id === version['id'] && difference(version, leaves).flat().length === 0,
    );
    expect(index, `not there: ${JSON.stringify(version)}`).toBeGreaterThanOrEqual(0);
    stored.splice(index, 1);
  }
  expect(stored).toEqual([]);
}

/** Every table with every row as text, but for what differs by when it was loaded. */
async function dump(warehouse: Warehouse): Promise<Record<string, unknown[]>> {
  const tables = await warehouse.rows(
    'SELECT table_name AS name FROM closehaul.warehouse_tables WHERE schema_name = $1',
    [warehouse.schema],
  );
  const dumped: Record<string, unknown[]> = {};
  for (const { name } of tables as { name: string }[]) {
    const rows = await warehouse.table(
      name,
      "(to_jsonb(t) - '_sdc_sequence' - '_sdc_batched_at')::text AS row",
    );
    dumped[name] = rows.map(({ row }) => row as string).sort();
  }
  return dumped;
}

describe('loading, in layout', () => {
  it.each(CASES)(
    '%s: what %s hold does not depend on order or pages',
    async (layout, _, stream) => {
      const example = versionsOf(record).chain((versions) =>
        fc.tuple(fc.constant(versions), arrivals(versions)),
      );
      await fc.assert(
        fc.asyncProperty(example, async ([versions, pages]) => {
          const warehouse = await loadAll(layout, stream, pages);

          await expectExactly(warehouse, stream, expectedOf(stream, versions));
        }),
        RUNS,
      );
    },
  );

  it.each(CASES)('%s: %s loaded twice are as loaded once', async (layout, _, stream) => {
    await fc.assert(
      fc.asyncProperty(versionsOf(record), async (versions) => {
        const warehouse = await loadAll(layout, stream, [versions]);
        const before = await dump(warehouse);

        const again = await warehouse.load(stream, versions);

        expect(again).toMatchObject({ inserted: 0, updated: 0, rejected: 0, rows: 0 });
        expect(await dump(warehouse)).toEqual(before);
      }),
      RUNS,
    );
  });

  /** Of one type each, so that no order gives another column. */
  const alike: fc.Arbitrary<JsonRecord> = fc.record({
    name: fc.option(fc.string(), { nil: null }),
    value: fc.option(fc.maxSafeInteger(), { nil: null }),
    tags: fc.array(fc.string(), { maxLength: 3 }),
    contacts: fc.array(fc.record({ name: fc.string(), emails: fc.array(fc.string()) }), {
      maxLength: 3,
    }),
  });

  it.each(CASES)('%s: two ways to load %s give equal tables', async (layout, _, stream) => {
    const example = versionsOf(alike).chain((versions) =>
      fc.tuple(arrivals(versions), arrivals(versions)),
    );
    await fc.assert(
      fc.asyncProperty(example, async ([one, other]) => {
        const first = await loadAll(layout, stream, one);
        const second = await loadAll(layout, stream, other);

        expect(await nonEmpty(second)).toEqual(await nonEmpty(first));
      }),
      RUNS,
    );
  });
});

/** Without columns that are null and tables that are empty: older versions may have made them. */
async function nonEmpty(warehouse: Warehouse): Promise<Record<string, unknown[]>> {
  const dumped = await dump(warehouse);
  return Object.fromEntries(
    Object.entries(dumped)
      .filter(([, rows]) => rows.length > 0)
      .map(([name, rows]) => [name, rows.map((row) => withoutNulls(row as string)).sort()]),
  );
}

function withoutNulls(row: string): string {
  const entries = Object.entries(JSON.parse(row) as Record<string, unknown>);
  return JSON.stringify(entries.filter(([, value]) => value !== null).sort());
}
