import { describe, expect, it } from 'vitest';
import { denest, type Row } from '../../src/core/denest.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import { ExactNumber, type JsonRecord } from '../../src/core/record.js';
import { APPENDED, UPSERTED } from './streams.js';

function rowsOf(record: JsonRecord, layout: LayoutName, stream = UPSERTED): readonly Row[] {
  const result = denest({ id: 'lead_1', ...record }, stream, LAYOUTS[layout]);
  return 'rows' in result ? result.rows : [];
}

/** Table names with the columns that their rows ask for. */
function columnsOf(rows: readonly Row[]): Record<string, string[]> {
  return Object.fromEntries(
    rows.map(({ tableName, cells }) => [tableName, cells.map(({ column }) => column)]),
  );
}

const record: JsonRecord = {
  name: 'Bluth',
  address: { city: 'LA' },
  opportunities: [{ id: 'oppo_1', value: 5, custom: { Size: 'L' } }],
  contacts: [{ id: 'cont_1', emails: [{ email: 'a' }], tags: ['x'] }],
  grid: [[1]],
};

describe('layout stitch', () => {
  it("is that of Stitch's Close.io page: the parent's own key name, and items__ before each field", () => {
    expect(LAYOUTS.stitch.parentKeyColumn('id')).toBe('id');
    expect(columnsOf(rowsOf(record, 'stitch'))).toEqual({
      leads: ['name', 'address__city'],
      leads__contacts: ['items__id'],
      leads__contacts__emails: ['items__email'],
      leads__contacts__tags: ['value'],
      leads__grid: [],
      leads__grid__items: ['value'],
      leads__opportunities: ['items__id', 'items__value', 'items__custom__Size'],
    });
  });

  it('strips the prefix of an element only, not of a field that is called so', () => {
    const rows = rowsOf({ items__x: [1], a: [{ items__y: [2] }] }, 'stitch');

    expect(rows.map(({ tableName }) => tableName)).toEqual([
      'leads',
      'leads__a',
      'leads__a__items__y',
      'leads__items__x',
    ]);
  });
});

describe('layout stitch-v2', () => {
  it("is that of Stitch's later pages: _sdc_source_key_id, and bare fields", () => {
    expect(LAYOUTS['stitch-v2'].parentKeyColumn('id')).toBe('_sdc_source_key_id');
    expect(columnsOf(rowsOf(record, 'stitch-v2'))).toEqual({
      leads: ['name', 'address__city'],
      leads__contacts: ['id'],
      leads__contacts__emails: ['email'],
      leads__contacts__tags: ['value'],
      leads__grid: [],
      leads__grid__items: ['value'],
      leads__opportunities: ['id', 'value', 'custom__Size'],
    });
  });

  it('has the tables, rows and values of layout stitch', () => {
    const bare = (rows: readonly Row[]): unknown =>
      rows.map(({ cells, ...row }) => ({
        ...row,
        cells: cells.map(({ path, value }) => [path, value]),
      }));

    expect(bare(rowsOf(record, 'stitch-v2'))).toEqual(bare(rowsOf(record, 'stitch')));
  });
});

describe('layout jsonb', () => {
  it('flattens objects, and leaves each array in one column', () => {
    expect(rowsOf(record, 'jsonb')).toEqual([
      {
        table: 'leads',
        tableName: 'leads',
        levels: [],
        cells: [
          {
            path: 'contacts',
            column: 'contacts',
            type: 'jsonb',
            value: '[{"emails":[{"email":"a"}],"id":"cont_1","tags":["x"]}]',
          },
          { path: 'grid', column: 'grid', type: 'jsonb', value: '[[1]]' },
          { path: 'name', column: 'name', type: 'text', value: 'Bluth' },
          {
            path: 'opportunities',
            column: 'opportunities',
            type: 'jsonb',
            value: '[{"custom":{"Size":"L"},"id":"oppo_1","value":5}]',
          },
          { path: 'address.city', column: 'address__city', type: 'text', value: 'LA' },
        ],
      },
    ]);
  });

  it('keeps an empty array and null elements, which it can hold', () => {
    const [row] = rowsOf({ a: [], b: [null, {}], c: null }, 'jsonb');

    expect(row?.cells.map(({ column, value }) => [column, value])).toEqual([
      ['a', '[]'],
      ['b', '[null,{}]'],
    ]);
  });

  it('sees the same version whatever the order of keys inside an array', () => {
    const forth = denest({ id: 'a', x: [{ p: 1, q: 2 }] }, APPENDED, LAYOUTS.jsonb);
    const back = denest({ id: 'a', x: [{ q: 2, p: 1 }] }, APPENDED, LAYOUTS.jsonb);
    const other = denest({ id: 'a', x: [{ q: 2, p: 3 }] }, APPENDED, LAYOUTS.jsonb);

    expect('content' in forth && forth.content).toBe('content' in back && back.content);
    expect('content' in forth && forth.content).not.toBe('content' in other && other.content);
  });

  it('loses no digit and no key', () => {
    const x = [new ExactNumber('12345678901234567890'), { 'a\0': 'b\ud800', __proto__: null }];

    const [row] = rowsOf({ x }, 'jsonb');

    expect(row?.cells[0]?.value).toBe('[12345678901234567890,{"a\ufffd":"b\ufffd"}]');
  });
});
