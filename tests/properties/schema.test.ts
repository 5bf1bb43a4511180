import fc from 'fast-check';
import { expect, it } from 'vitest';
import { denest, type Row } from '../../src/core/denest.js';
import { LAYOUTS } from '../../src/core/layout.js';
import { Schema, type Column } from '../../src/core/schema.js';
import { UPSERTED } from '../core/streams.js';
import { record } from './seeded.js';

const rules = {
  reservedColumns: (levels: number) => ['id', '_sdc_sequence', `_sdc_level_${levels}_id`],
  reservedTables: ['_sdc_rejected'],
  versionField: () => 'date_updated',
};

/** Rows of some records, as pages bring them. */
const pages: fc.Arbitrary<Row[][]> = fc.array(
  fc.array(record, { maxLength: 4 }).map((records) =>
    records.flatMap((each) => {
      const result = denest(each, UPSERTED, LAYOUTS.stitch);
      return 'rows' in result ? [...result.rows] : [];
    }),
  ),
  { minLength: 1, maxLength: 5 },
);

/** Each table with its columns, as they are stored. */
function stored(schema: Schema): Map<string, { name: string; columns: readonly Column[] }> {
  return new Map(
    schema.all().map(({ path, name, columns }) => [path, { name, columns: [...columns] }]),
  );
}

it('gives each cell one column of its row, which holds its type, and no column two fields', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const schema = new Schema(rules);
      for (const rows of each) schema.add(rows);

      for (const { table, cells } of each.flat()) {
        const indexes = cells.map((cell) => schema.columnIndex(table, cell));
        expect(indexes).not.toContain(undefined);
        expect(new Set(indexes).size).toBe(cells.length);
        for (const [at, { path }] of cells.entries()) {
          expect(schema.table(table)?.columns[indexes[at] as number]?.path).toBe(path);
        }
      }
    }),
  );
});

it('never renames, moves or drops what it has', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const schema = new Schema(rules);

      for (const rows of each) {
        const before = stored(schema);
        schema.add(rows);

        for (const [path, { name, columns }] of before) {
          expect(schema.table(path)?.name).toBe(name);
          expect(schema.table(path)?.columns.slice(0, columns.length)).toEqual(columns);
        }
      }
    }),
  );
});

it('names no two tables, and no two columns of a table, alike', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const schema = new Schema(rules);
      schema.add(each.flat());

      const tables = schema.all();
      expect(new Set(tables.map(({ name }) => name)).size).toBe(tables.length);
      for (const { columns, levels } of tables) {
        const names = [...columns.map(({ name }) => name), ...rules.reservedColumns(levels)];
        expect(new Set(names).size).toBe(names.length);
        expect(names.every((name) => Buffer.byteLength(name) <= 63)).toBe(true);
      }
    }),
  );
});

it('tells of each table and column exactly once, and of nothing the second time', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const schema = new Schema(rules);

      const changes = each.flatMap((rows) => schema.add(rows));

      const told = changes.flatMap(({ table, columns }) =>
        columns.map(({ name }) => `${table.path} ${name}`),
      );
      const there = schema
        .all()
        .flatMap(({ path, columns }) => columns.map(({ name }) => `${path} ${name}`));
      expect(told.sort()).toEqual(there.sort());
      expect(changes.filter(({ isNew }) => isNew)).toHaveLength(schema.all().length);
      expect(schema.add(each.flat())).toEqual([]);
    }),
  );
});

it('is the same after it was stored and restored between any two pages', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const whole = new Schema(rules);
      let restored = new Schema(rules);

      for (const rows of each) {
        whole.add(rows);
        restored.add(rows);
        const copy = new Schema(rules);
        for (const { columns, path, name, stream, levels } of restored.all()) {
          copy.restore({ path, name, stream, levels }, columns);
        }
        restored = copy;
      }

      expect(stored(restored)).toEqual(stored(whole));
    }),
  );
});

it('has the same fields in whatever order the pages come', () => {
  fc.assert(
    fc.property(pages, (each) => {
      const [forth, back] = [each, [...each].reverse()].map((some) => {
        const schema = new Schema(rules);
        for (const rows of some) schema.add(rows);
        return schema
          .all()
          .flatMap(({ path, columns }) => columns.map((column) => `${path} ${column.path}`));
      });

      expect(new Set(back)).toEqual(new Set(forth));
    }),
  );
});
