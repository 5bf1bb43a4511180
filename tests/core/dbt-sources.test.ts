import { describe, expect, it } from 'vitest';
import { dbtSources, parsePeriod } from '../../src/core/dbt-sources.js';
import type { WarehouseRelation } from '../../src/core/warehouse-schema.js';

const DAY = { count: 1, period: 'day' } as const;

function relation(name: string, some: Partial<WarehouseRelation> = {}): WarehouseRelation {
  return {
    ...{ name, kind: 'root', needsQuotes: false, comment: null, columns: [], key: [] },
    ...{ uniqueConstraints: [], indexes: [], rows: null },
    syncedAtQuery: some.kind === undefined ? 'the query' : null,
    ...some,
  };
}

function column(name: string, comment: string | null = null) {
  return {
    name,
    needsQuotes: name !== name.toLowerCase(),
    type: 'text',
    isNotNull: false,
    comment,
  };
}

function tablesOf(relations: readonly WarehouseRelation[]) {
  const schema = { name: 'stitch_closeio', comment: null, relations };
  const options = { database: undefined, warnAfter: DAY, errorAfter: DAY };
  return dbtSources(schema, options).sources[0].tables;
}

describe('dbtSources', () => {
  it('tests a key of one column for uniqueness, each column of a longer one only for nulls', () => {
    const columns = [column('id'), column('_sdc_level_0_id'), column('name')];
    const [single, double] = tablesOf([
      relation('leads', { key: ['id'], columns }),
      relation('leads__contacts', { key: ['id', '_sdc_level_0_id'], columns }),
    ]);

    expect(single?.columns.map((each) => each.data_tests)).toEqual([
      ['unique', 'not_null'],
      undefined,
      undefined,
    ]);
    expect(double?.columns.map((each) => each.data_tests)).toEqual([
      ['not_null'],
      ['not_null'],
      undefined,
    ]);
  });

  it("asks freshness of a stream's own table alone", () => {
    const tables = tablesOf([
      relation('leads'),
      relation('leads__contacts', { kind: 'subtable' }),
      relation('activities_current', { kind: 'view' }),
      relation('_sdc_rejected', { kind: 'rejects' }),
    ]);

    expect(tables.filter(({ config }) => config !== undefined).map(({ name }) => name)).toEqual([
      'leads',
    ]);
  });

  it('gives a name without spaces, of its own, to each table that needs one, in any company', () => {
    const names = ['leads__a b', 'leads__a_b', 'leads__a-b', 'leads__Größe', 'leads__n(s)'];
    const tables = tablesOf(names.map((name) => relation(name)));

    expect(tables.map(({ identifier, name }) => identifier ?? name)).toEqual(names);
    expect(new Set(tables.map(({ name }) => name)).size).toBe(names.length);
    expect(tables[1]).toMatchObject({ name: 'leads__a_b' });
    expect(tables[4]).toMatchObject({ name: 'leads__n_s', identifier: 'leads__n(s)' });
    for (const { name } of tables) expect(name).toMatch(/^[\p{L}\p{N}_]+$/u);
  });

  it('quotes what SQL would not take as it is, and leaves out what there is not', () => {
    const [table] = tablesOf([relation('leads', { columns: [column('custom__Age', 'years')] })]);

    expect(table).toEqual({
      name: 'leads',
      config: {
        loaded_at_query: 'the query',
        freshness: { warn_after: DAY, error_after: DAY },
      },
      columns: [{ name: 'custom__Age', quote: true, description: 'years', data_type: 'text' }],
    });
  });

  it('names the database only when it is told', () => {
    const schema = { name: 'stitch_closeio', comment: 'From Close', relations: [] };
    const options = { database: 'dw', warnAfter: DAY, errorAfter: DAY };

    expect(dbtSources(schema, options).sources[0]).toMatchObject({
      ...{ name: 'stitch_closeio', schema: 'stitch_closeio', database: 'dw' },
      description: 'From Close',
    });
  });
});

describe('parsePeriod', () => {
  it.each([
    ['90m', { count: 90, period: 'minute' }],
    ['12h', { count: 12, period: 'hour' }],
    ['3d', { count: 3, period: 'day' }],
  ])('reads %s', (text, period) => {
    expect(parsePeriod(text)).toEqual(period);
  });

  it.each(['', '3', 'd', '0d', '-1d', '1.5h', '30s', '1w', '123456h', ' 1d', '1D'])(
    'refuses %j',
    (text) => {
      expect(parsePeriod(text)).toBeUndefined();
    },
  );
});
