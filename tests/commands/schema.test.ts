import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { schema, type SchemaFlags } from '../../src/commands/schema.js';
import { readConfig } from '../../src/config.js';
import type { WarehouseSchema } from '../../src/core/warehouse-schema.js';
import { documentedWarehouse } from '../postgres/documented-warehouse.js';
import type { Warehouse } from '../postgres/warehouse.js';
import { testDatabase } from '../support/stack.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await documentedWarehouse('stitch');
  await warehouse.rows('CREATE TABLE stitch_closeio.mine (id int)');
  await warehouse.rows('CREATE VIEW stitch_closeio.leads_current AS SELECT 1 AS mine');
  await warehouse.rows('CREATE INDEX leads_by_name ON stitch_closeio.leads (name)');
});
afterAll(() => warehouse.close());

async function printed(some: Partial<SchemaFlags> = {}, isJson = false): Promise<string> {
  const lines: string[] = [];
  const flags = { count: true, dbt: false, warnAfter: '1d', errorAfter: '3d', ...some };
  await schema(readConfig({ DATABASE_URL: warehouse.url }), 'Stitch Closeio', flags, {
    isJson,
    print: (line) => lines.push(line),
  });
  return lines.join('\n');
}

describe('closehaul schema', () => {
  it('tells of each table: rows, key, indexes, columns with types and comments', async () => {
    await warehouse.rows(`COMMENT ON TABLE stitch_closeio.leads IS 'One row for each lead'`);
    await warehouse.rows(`COMMENT ON COLUMN stitch_closeio.leads.name IS 'Its name'`);
    const text = await printed();
    const [part = ''] = text.split('\n\n').filter((each) => each.startsWith('leads ('));

    expect(part).toMatch(/^leads \(table, 4 rows\)\nOne row for each lead\n {2}key {4}id\n/);
    expect(part).toMatch(/^ {2}index {2}leads_by_name btree \(name\)$/m);
    expect(part).toMatch(/^│ id +│ text +│ not null │/m);
    expect(part).toMatch(/^│ name +│ text +│ +│ Its name +│$/m);
    expect(part).toMatch(/^│ custom__Age__do +│ double precision +│ +│/m);
    expect(text).toMatch(/^leads__contacts__emails \(table, \d+ rows\)/m);
    expect(text).toMatch(/^_sdc_rejected \(table, 1 row\)$/m);
  });

  it('gives the same as JSON: keys with and without versions, and nothing of other people', async () => {
    const described = JSON.parse(await printed({}, true)) as WarehouseSchema;
    const byName = new Map(described.relations.map((relation) => [relation.name, relation]));

    expect(byName.get('activities')).toMatchObject({
      ...{ kind: 'root', key: ['id', '_sdc_sequence'], rows: 4 },
      uniqueConstraints: [['id', '_sdc_record_hash']],
    });
    expect(byName.get('activities_current')).toMatchObject({
      kind: 'view',
      key: ['id'],
      rows: null,
    });
    expect(byName.get('activities__to_current')).toMatchObject({ key: ['id', '_sdc_level_0_id'] });
    expect(byName.get('leads__custom__Nickname(s)')).toMatchObject({ needsQuotes: true });
    expect(byName.has('mine')).toBe(false);
    expect(byName.has('leads_current')).toBe(false);
  });

  it('counts nothing unless it is asked: the numbers are those of the planner', async () => {
    await warehouse.rows('ANALYZE stitch_closeio.leads');
    const text = await printed({ count: false });

    expect(text).toMatch(/^leads \(table, about 4 rows\)$/m);
    expect(text).toMatch(/^activities \(table\)$/m);
    expect(text).toMatch(/^activities_current \(view\)$/m);
  });

  it('writes the same sources for dbt as YAML and as JSON, twice alike', async () => {
    const yaml = await printed({ dbt: true, database: 'dw' });

    expect(parse(yaml, { version: '1.1' })).toEqual(
      JSON.parse(await printed({ dbt: true, database: 'dw' }, true)),
    );
    expect(await printed({ dbt: true, database: 'dw' })).toBe(yaml);
    expect(yaml).toMatch(/^ {4}database: dw$/m);
    expect(yaml).not.toMatch(/[&*]a\d/);
  });

  it('refuses a period that dbt has not, and a connection that there is not', async () => {
    await expect(printed({ dbt: true, warnAfter: '1 week' })).rejects.toMatchObject({
      ...{ code: 'USAGE', message: expect.stringContaining('--warn-after') as string },
    });
    const empty = await testDatabase();
    const config = readConfig({ DATABASE_URL: empty.url });
    const flags = { count: false, dbt: false, warnAfter: '1d', errorAfter: '3d' };
    const output = { isJson: false, print: () => undefined };
    const unknown = {
      code: 'CONNECTION_UNKNOWN',
      message: expect.stringContaining('other') as string,
    };

    await expect(schema(config, 'Other', flags, output)).rejects.toMatchObject(unknown);
    await empty.close();
    const here = readConfig({ DATABASE_URL: warehouse.url });
    await expect(schema(here, 'Other', flags, output)).rejects.toMatchObject(unknown);
  });
});
