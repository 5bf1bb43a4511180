import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/denest.js';
import { Schema, type Table } from '../../src/core/schema.js';
import type { ColumnType, TypedValue } from '../../src/core/typing.js';

const rules = {
  reservedColumns: (levels: number) => [
    'id',
    '_sdc_sequence',
    ...(levels > 0 ? ['_sdc_level_0_id'] : []),
  ],
  reservedTables: ['_sdc_rejected'],
  versionField: () => 'date_updated',
};

const VALUES: Readonly<Record<ColumnType, TypedValue['value']>> = {
  boolean: true,
  bigint: 1,
  'double precision': 0.5,
  numeric: '1e400',
  timestamptz: '2022-11-09T00:00:00.000000Z',
  text: 'x',
  jsonb: '[]',
};

/** A row of a table with a cell for each `path` or `path:type`. */
function row(table: string, ...cells: readonly string[]): Row {
  return {
    table,
    tableName: table.replaceAll(/[/.]/g, '__'),
    levels: table
      .split('/')
      .slice(1)
      .map(() => 0),
    cells: cells.map((text) => {
      const [path = '', type = 'text'] = text.split(':') as [string, ColumnType?];
      return { path, column: path.replaceAll('.', '__'), type, value: VALUES[type] };
    }),
  };
}

const names = (schema: Schema, table: string): unknown =>
  schema.table(table)?.columns.map(({ name, type }) => `${name} ${type}`);

describe('add', () => {
  it('makes a table with the columns of its first row, the version first', () => {
    const schema = new Schema(rules);

    const changes = schema.add([row('leads', 'name', 'age:bigint')]);

    expect(changes).toMatchObject([
      {
        isNew: true,
        table: { path: 'leads', name: 'leads', stream: 'leads', levels: 0 },
        columns: [
          { name: 'date_updated', type: 'timestamptz', path: 'date_updated' },
          { name: 'name', type: 'text', path: 'name' },
          { name: 'age', type: 'bigint', path: 'age' },
        ],
      },
    ]);
  });

  it('makes a subtable without a version of its own', () => {
    const schema = new Schema(rules);

    schema.add([row('leads'), row('leads/contacts/emails')]);

    expect(schema.table('leads/contacts/emails')).toMatchObject({
      name: 'leads__contacts__emails',
      stream: 'leads',
      levels: 2,
      columns: [],
    });
  });

  it('tells what is new and nothing else, each thing once', () => {
    const schema = new Schema(rules);
    schema.add([row('leads', 'a')]);

    const changes = schema.add([row('leads', 'a', 'b'), row('leads', 'b', 'c'), row('leads/x')]);

    expect(
      changes.map(({ isNew, table, columns }) => [table.name, isNew, columns.map((c) => c.name)]),
    ).toEqual([
      ['leads', false, ['b', 'c']],
      ['leads__x', true, []],
    ]);
  });

  it('has nothing to tell the second time', () => {
    const schema = new Schema(rules);
    const rows = [row('leads', 'a', 'a:bigint', 'b'), row('leads/x', 'y')];
    schema.add(rows);

    expect(schema.add(rows)).toEqual([]);
    expect(rows.some((each) => schema.lacks(each))).toBe(false);
  });

  it('keeps the first column of a field and sets one for each other type beside it', () => {
    const schema = new Schema(rules);

    schema.add([
      row('leads', 'age:bigint'),
      row('leads', 'age:double precision', 'age', 'age:boolean'),
    ]);
    schema.add([row('leads', 'age:timestamptz', 'age:numeric', 'age:jsonb')]);

    expect(names(schema, 'leads')).toEqual([
      'date_updated timestamptz',
      'age bigint',
      'age__do double precision',
      'age__st text',
      'age__bo boolean',
      'age__ti timestamptz',
      'age__de numeric',
      'age__js jsonb',
    ]);
  });

  it('needs no second column for what the first can hold', () => {
    const schema = new Schema(rules);
    schema.add([row('leads', 'price:double precision', 'huge:numeric')]);

    const changes = schema.add([
      row('leads', 'price:bigint', 'huge:bigint', 'huge:double precision'),
    ]);

    expect(changes).toEqual([]);
  });

  it('gives a version that is no time a column beside', () => {
    const schema = new Schema(rules);

    schema.add([row('leads', 'date_updated')]);

    expect(names(schema, 'leads')).toEqual(['date_updated timestamptz', 'date_updated__st text']);
  });
});

describe('names', () => {
  it('are given once to each of two fields that want the same', () => {
    const schema = new Schema(rules);

    schema.add([row('leads', 'a__b', 'a.b')]);

    const [, first, second] = schema.table('leads')?.columns ?? [];
    expect(first?.name).toBe('a__b');
    expect(second?.name).toMatch(/^a__b_[0-9a-f]{8}$/);
  });

  it('are told apart by case', () => {
    const schema = new Schema(rules);

    schema.add([row('leads', 'name', 'Name', 'NAME')]);

    expect(names(schema, 'leads')).toEqual([
      'date_updated timestamptz',
      'name text',
      'Name text',
      'NAME text',
    ]);
  });

  it.each(['id', '_sdc_sequence'])('are never that of the system column %s', (name) => {
    const schema = new Schema(rules);

    schema.add([row('leads', name)]);

    expect(schema.table('leads')?.columns.at(-1)?.name).toMatch(
      new RegExp(`^${name}_[0-9a-f]{8}$`),
    );
  });

  it('leave a sibling its room: 59 bytes and four more', () => {
    const schema = new Schema(rules);
    const long = 'x'.repeat(80);

    schema.add([row('leads', long, `${long}:bigint`)]);

    const [, first, second] = schema.table('leads')?.columns ?? [];
    expect(first?.name).toHaveLength(59);
    expect(second?.name).toBe(`${first?.name}__bi`);
  });

  it('of a sibling give way to a field that has it already', () => {
    const schema = new Schema(rules);

    schema.add([row('leads', 'a.bi', 'a', 'a:bigint')]);

    expect(names(schema, 'leads')).toMatchObject({ 1: 'a__bi text', 2: 'a text' });
    expect(schema.table('leads')?.columns.at(-1)?.name).toMatch(/^a__bi_[0-9a-f]{8}$/);
  });

  it('of tables are shortened, apart and not reserved', () => {
    const schema = new Schema(rules);
    const long = 'x'.repeat(80);

    schema.add([row('leads'), row(`leads/${long}1`), row(`leads/${long}2`), row('_sdc_rejected')]);

    const tables = schema.all().map(({ name }) => name);
    expect(new Set(tables).size).toBe(4);
    expect(tables.every((name) => name.length <= 63)).toBe(true);
    expect(tables).not.toContain('_sdc_rejected');
  });
});

describe('restore', () => {
  const rows = [
    row('leads', 'a', 'b:bigint', 'b:text', 'a__b', 'a.b'),
    row('leads/x', 'y'),
    row('leads/x/z', '[]'),
  ];

  function copyOf(schema: Schema): Schema {
    const copy = new Schema(rules);
    for (const { columns, path, name, stream, levels } of schema.all()) {
      copy.restore({ path, name, stream, levels }, columns);
    }
    return copy;
  }

  it('gives each cell the index that it had', () => {
    const schema = new Schema(rules);
    schema.add(rows);

    const copy = copyOf(schema);

    for (const { table, cells } of rows) {
      for (const cell of cells) {
        expect(copy.columnIndex(table, cell)).toBe(schema.columnIndex(table, cell));
        expect(copy.columnIndex(table, cell)).toBeTypeOf('number');
      }
    }
    expect(copy.add(rows)).toEqual([]);
  });

  it('goes on as if it had never been away', () => {
    const schema = new Schema(rules);
    schema.add(rows);
    const copy = copyOf(schema);
    const more = [row('leads', 'b:boolean', 'c'), row('leads/w', 'y')];

    const plain = (changes: readonly { table: Table; columns: readonly unknown[] }[]): unknown =>
      changes.map(({ table, columns }) => [table.name, columns]);

    expect(plain(copy.add(more))).toEqual(plain(schema.add(more)));
  });

  it('keeps a name that would be another one today', () => {
    const schema = new Schema(rules);
    schema.restore({ path: 'leads', name: 'old_name', stream: 'leads', levels: 0 }, [
      { name: 'renamed once', type: 'text', path: 'a', place: 'column' },
    ]);

    schema.add([row('leads', 'a', 'a:bigint')]);

    expect(schema.table('leads')?.name).toBe('old_name');
    expect(names(schema, 'leads')).toEqual(['renamed once text', 'renamed once__bi bigint']);
  });
});

describe('looking things up', () => {
  const schema = new Schema(rules);
  schema.add([row('leads/x', 'y'), row('leads', 'a'), row('other', 'a'), row('leads/x/z')]);

  it('lists the tables of a stream, its own first', () => {
    expect(schema.tablesOf('leads').map(({ path }) => path)).toEqual([
      'leads',
      'leads/x',
      'leads/x/z',
    ]);
  });

  it.each([
    ['a table', row('leads/q')],
    ['a column', row('leads', 'q')],
    ['a type', row('leads', 'a:bigint')],
  ])('sees that %s is lacking', (_, lacking) => {
    expect(schema.lacks(lacking)).toBe(true);
  });

  it.each([row('leads'), row('leads', 'a'), row('leads', 'date_updated:timestamptz')])(
    'sees that nothing is lacking',
    (complete) => {
      expect(schema.lacks(complete)).toBe(false);
    },
  );

  it('knows no column of a table or a field that is not there', () => {
    const cell = { path: 'a', type: 'text', value: 'x' } as const;

    expect(schema.columnIndex('nowhere', cell)).toBeUndefined();
    expect(schema.columnIndex('leads', { ...cell, path: 'b' })).toBeUndefined();
    expect(schema.table('nowhere')).toBeUndefined();
  });
});
