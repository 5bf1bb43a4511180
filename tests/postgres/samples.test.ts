import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseExactJson } from '../../src/close/exact-json.js';
import { foldCustomFields, type CustomFields } from '../../src/core/custom-fields.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { SourceStream } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import type { TestDatabase } from '../support/stack.js';
import { difference, readBack } from './read-back.js';
import { ACTIVITIES, LEADS, migratedDatabase, openSchema } from './warehouse.js';

/**
 * Records of real accounts, as the tests of public projects recorded them. They lie beside a
 * developer's checkout and not in it; where they are, each of their files is a test.
 */
const SAMPLES = new URL('../../../shared/samples/', import.meta.url);
const isThere = existsSync(SAMPLES);
const FILES = isThere
  ? readdirSync(SAMPLES).filter((file) => file !== 'README.md' && !file.startsWith('.'))
  : [];

/** `closex-2017-2022.lead.jsonl` → `lead`, `hull-2018.list-leads.json` → `list-leads`. */
function kindOf(file: string): string {
  return /\.([^.]+)\.jsonl?$/.exec(file)?.[1] ?? file;
}

/** What has no stream in the product gets one like that of the leads. */
function streamOf(kind: string): SourceStream {
  if (kind === 'activity') return ACTIVITIES;
  return kind === 'lead' || kind === 'list-leads' ? LEADS : { ...LEADS, name: kind };
}

/** One record a line, or one list answer; an HTTP exchange is a record too, with a key of ours. */
function readRecords(file: string): JsonRecord[] {
  const text = readFileSync(new URL(file, SAMPLES), 'utf8');
  const records = file.endsWith('.jsonl')
    ? text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parseExactJson(line)]))
    : ((parseExactJson(text) as JsonRecord)['data'] as readonly JsonRecord[]);
  const copies = new Map<string, number>();
  return (records as readonly JsonRecord[]).map((record) => {
    const id = typeof record['id'] === 'string' ? record['id'] : 'exchange';
    // Some were recorded several times, in one version: here each is a record.
    const copy = copies.get(id) ?? 0;
    copies.set(id, copy + 1);
    return { ...record, id: `${id}#${copy}` };
  });
}

/** Whose custom fields occur where; of leads, as their recorded definitions name them. */
const FAMILIES = { own: 'lead', nested: { contacts: 'contact', opportunities: 'opportunity' } };
const FIELDS: CustomFields = new Map([
  [
    'lead',
    new Map(
      FILES.filter((file) => /custom_fields|leadfields/.test(file))
        .flatMap(readRecords)
        .map((definition) => {
          const id = (definition['id'] as string).replace(/#0$/, '');
          const name = definition['name'] as string;
          return [id, { id, label: name, currentName: name, type: definition['type'] as string }];
        }),
    ),
  ],
]);

let databases: ReadonlyMap<string, TestDatabase> = new Map();
beforeAll(async () => {
  const layouts = isThere ? Object.keys(LAYOUTS) : [];
  databases = new Map(
    await Promise.all(layouts.map(async (layout) => [layout, await migratedDatabase()] as const)),
  );
});
afterAll(() => Promise.all([...databases.values()].map((database) => database.close())));

it('are there whole, or not at all', () => {
  expect(FILES.length > 0).toBe(isThere);
  expect((FIELDS.get('lead')?.size ?? 0) > 0).toBe(isThere);
});

const EACH = (Object.keys(LAYOUTS) as LayoutName[]).flatMap((layout) =>
  FILES.map((file) => [layout, file] as const),
);

it.each(EACH)('layout %s takes %s and gives each record back', async (layout, file) => {
  const stream = streamOf(kindOf(file));
  const schema = `file_${FILES.indexOf(file)}`;
  const database = databases.get(layout) as TestDatabase;
  const warehouse = await openSchema(database, layout, schema, [stream]);
  const records = readRecords(file).map((record) => foldCustomFields(record, FAMILIES, FIELDS));
  expect(records.length).toBeGreaterThan(0);

  const loaded = await warehouse.load(stream, records);

  expect(loaded).toMatchObject({ inserted: records.length, rejected: 0 });
  const versions = await readBack(warehouse, stream.name);
  expect(versions.size).toBe(records.length);
  for (const record of records) {
    const [leaves, ...others] = versions.get(record['id'] as string) ?? [];
    expect(others).toEqual([]);
    expect(difference(record, leaves ?? [])).toEqual([[], []]);
  }
});
