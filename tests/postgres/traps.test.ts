import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseExactJson } from '../../src/close/exact-json.js';
import { jsonText } from '../../src/core/json-text.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { JsonRecord, JsonValue } from '../../src/core/record.js';
import type { TestDatabase } from '../support/stack.js';
import { difference, readBack } from './read-back.js';
import { readTables, type TableContent } from './table-content.js';
import {
  ACTIVITIES,
  at,
  LEADS,
  migratedDatabase,
  openSchema,
  type Warehouse,
} from './warehouse.js';

/**
 * One file of tests/fixtures/traps for each kind of record that has broken a warehouse somewhere.
 * Its records are loaded in the order in which they stand, and a record without any trap with them.
 */
interface Trap {
  readonly trap: string;
  readonly why: string;
  readonly stream: 'leads' | 'activities';
  readonly records: readonly JsonRecord[];
  /** By layout; `stitch-v2` and `jsonb` where they differ from `stitch`. */
  readonly expect: { readonly stitch: Expected } & Partial<Record<LayoutName, Expected>>;
}

interface Expected {
  /** By table, what `readTables` gives. */
  readonly tables: Record<string, TableContent>;
  /** The reasons in `_sdc_rejected`, in any order. */
  readonly rejected?: readonly string[];
}

const FOLDER = new URL('../fixtures/traps/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
const STREAM = { leads: LEADS, activities: ACTIVITIES } as const;
const INNOCENT = { id: 'innocent', date_updated: at(1), is_innocent: true };

/** As text, since JSON.parse would take the traps out of the numbers. */
function readTrap(file: string): Trap {
  return parseExactJson(readFileSync(new URL(file, FOLDER), 'utf8')) as unknown as Trap;
}

let databases: ReadonlyMap<LayoutName, TestDatabase>;
beforeAll(async () => {
  const layouts = Object.keys(LAYOUTS) as LayoutName[];
  databases = new Map(
    await Promise.all(layouts.map(async (each) => [each, await migratedDatabase()] as const)),
  );
});
afterAll(() => Promise.all([...databases.values()].map((database) => database.close())));

let schemas = 0;

function openTrap(layout: LayoutName): Promise<Warehouse> {
  schemas += 1;
  return openSchema(databases.get(layout) as TestDatabase, layout, `trap_${schemas}`);
}

async function rejected(warehouse: Warehouse): Promise<{ reason: unknown; record: JsonValue }[]> {
  const rows = await warehouse.rows(
    `SELECT reason, record FROM ${warehouse.schema}._sdc_rejected WHERE table_name IS NOT NULL`,
  );
  return rows.map(({ reason, record }) => ({ reason, record: parseExactJson(String(record)) }));
}

/** Every version that was not rejected comes back leaf for leaf, and nothing else does. */
async function expectWhole(warehouse: Warehouse, trap: Trap): Promise<void> {
  const kept = (await rejected(warehouse)).map(({ record }) => jsonText(record));
  const loaded = trap.records.filter((record) => !kept.includes(jsonText(record)));
  const versions = await readBack(warehouse, trap.stream);
  const unexplained = [...versions].flatMap(([id, all]) => all.map((leaves) => ({ id, leaves })));
  for (const record of [...loaded, INNOCENT]) {
    const differences = unexplained
      .filter(({ id }) => id === record['id'])
      .map((version) => ({ version, by: difference(record, version.leaves) }));
    const match = differences.find(({ by }) => by.flat().length === 0);
    expect(match?.version, JSON.stringify(differences.map(({ by }) => by))).toBeDefined();
    unexplained.splice(unexplained.indexOf(match?.version as (typeof unexplained)[0]), 1);
  }
  expect(unexplained).toEqual([]);
}

describe.each(Object.keys(LAYOUTS) as LayoutName[])('layout %s', (layout) => {
  it.each(FILES)('%s', async (file) => {
    const trap = readTrap(file);
    const stream = STREAM[trap.stream];
    const expected = trap.expect[layout] ?? trap.expect.stitch;
    const reasons = expected.rejected ?? [];
    const warehouse = await openTrap(layout);

    const page = [...trap.records, INNOCENT];
    const loaded = await warehouse.load(stream, page);
    expect(loaded).toMatchObject({ fetched: page.length, rejected: reasons.length });
    expect(await readTables(warehouse, INNOCENT)).toEqual(expected.tables);
    const given = (await rejected(warehouse)).map(({ reason }) => reason);
    expect(given.sort()).toEqual([...reasons].sort());
    await expectWhole(warehouse, trap);

    const again = await warehouse.load(stream, page);
    expect(again).toMatchObject({ inserted: 0, updated: 0, rows: 0 });

    // The other way round, each in a page of its own: other names perhaps, and the same values.
    const backwards = await openTrap(layout);
    for (const record of [...page].reverse()) await backwards.load(stream, [record]);
    await expectWhole(backwards, trap);
  });
});

it('has its trap in the name of each file, and says why it is one', () => {
  expect(FILES.length).toBeGreaterThan(40);
  for (const file of FILES) {
    const trap = readTrap(file);
    expect(`${trap.trap}.json`).toBe(file);
    expect(trap.why).toMatch(/^\S.{20,}\.$/s);
    expect(trap.records.length).toBeGreaterThan(0);
  }
});

/** `wrap` around itself, so many times. */
function nested(depth: number, wrap: (inner: JsonValue) => JsonValue): JsonValue {
  let value: JsonValue = 'end';
  for (let level = 0; level < depth; level += 1) value = wrap(value);
  return value;
}

const MEGABYTES_20 = `${'x'.repeat(20_000_000)} ünï\n"\\ 🎈`;
const TOO_DEEP = 'Arrays lie more than 30 deep';
const LOADS = undefined;
const tooLong = expect.stringMatching(/^Field name .{80,200} is too long$/s) as string;
const RESERVED = ['Field name "_rjm" is reserved', 'Field name "_rjm" is reserved'] as const;
const refused = 'PostgreSQL refused the record (SQLSTATE 54001)';

/** What is too large for a file: made here. The reason is that of `_sdc_rejected`, by layout. */
const MADE: readonly (readonly [string, JsonValue, string | undefined, string | undefined])[] = [
  ['arrays 30 deep', nested(30, (inner) => [inner]), LOADS, LOADS],
  ['arrays 31 deep', nested(31, (inner) => [inner]), TOO_DEEP, LOADS],
  ['arrays 10,000 deep', nested(10_000, (inner) => [inner]), TOO_DEEP, LOADS],
  ['arrays 100,000 deep', nested(100_000, (inner) => [inner]), TOO_DEEP, refused],
  ['objects 10,000 deep', nested(10_000, (inner) => ({ o: inner })), tooLong, tooLong],
  ['objects 10,000 deep in an array', [nested(10_000, (o) => ({ o }))], tooLong, LOADS],
  ['arrays in objects, 10,000 deep', nested(5_000, (o) => ({ o: [o] })), TOO_DEEP, LOADS],
  ['a text of 20 MB', MEGABYTES_20, LOADS, LOADS],
  [
    '20 MB in an element of a record that is rejected',
    { _rjm: [{ text: MEGABYTES_20 }] },
    ...RESERVED,
  ],
  ['20,000 elements', Array.from({ length: 20_000 }, (_, n) => n), LOADS, LOADS],
];

describe.each(Object.keys(LAYOUTS) as LayoutName[])('layout %s', (layout) => {
  it.each(MADE)('%s', async (_, value, reason, reasonInJsonb) => {
    const warehouse = await openTrap(layout);
    const expected = layout === 'jsonb' ? reasonInJsonb : reason;
    const record = { id: 'lead_1', date_updated: at(1), value };

    const loaded = await warehouse.load(LEADS, [record, INNOCENT]);

    const rejects = await rejected(warehouse);
    expect(rejects.map((reject) => reject.reason)).toEqual(
      expected === undefined ? [] : [expected],
    );
    for (const reject of rejects) expect(jsonText(reject.record) === jsonText(record)).toBe(true);
    expect(loaded.inserted).toBe(expected === undefined ? 2 : 1);
    if (expected !== undefined) return;
    const versions = await readBack(warehouse, 'leads');
    expect(difference(record, versions.get('lead_1')?.[0] ?? [])).toEqual([[], []]);
  });
});
