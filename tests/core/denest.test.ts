import { describe, expect, it } from 'vitest';
import { denest, type Denested, type Row } from '../../src/core/denest.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import { ExactNumber, type JsonRecord, type JsonValue } from '../../src/core/record.js';
import type { StreamShape } from '../../src/core/stream.js';
import { APPENDED, UPSERTED } from './streams.js';

function denested(
  record: JsonRecord,
  layout: LayoutName = 'stitch',
  stream: StreamShape = UPSERTED,
): Denested {
  const result = denest({ id: 'lead_1', ...record }, stream, LAYOUTS[layout]);
  if ('reject' in result) throw new Error(`rejected: ${result.reject.reason}`);
  return result;
}

function reasonOf(record: JsonRecord, layout: LayoutName = 'stitch'): string | undefined {
  const result = denest(record, UPSERTED, LAYOUTS[layout]);
  return 'reject' in result ? result.reject.reason : undefined;
}

/** Rows as short lines: `leads__contacts[0] items__name=Gob`. */
function lines(rows: readonly Row[]): string[] {
  return rows.map(({ tableName, levels, cells }) =>
    [
      levels.length > 0 ? `${tableName}[${levels.join(',')}]` : tableName,
      ...cells.map(({ column, value }) => `${column}=${value}`),
    ].join(' '),
  );
}

describe('denest', () => {
  it('makes the tables that its documentation shows', () => {
    const record = {
      name: 'Bluth',
      envelope: { subject: 'Hi' },
      contacts: [{ emails: ['a', 'b'] }],
    };

    expect(lines(denested(record).rows)).toEqual([
      'leads name=Bluth envelope__subject=Hi',
      'leads__contacts[0]',
      'leads__contacts__emails[0,0] value=a',
      'leads__contacts__emails[0,1] value=b',
    ]);
  });

  it('says where a row comes from by paths that no name can change', () => {
    const { rows } = denested({ envelope: { to: [{ email: 'a', more: { b: 1 } }] } });

    expect(rows[1]).toEqual({
      table: 'leads/envelope.to',
      tableName: 'leads__envelope__to',
      levels: [0],
      cells: [
        { path: 'email', column: 'items__email', type: 'text', value: 'a' },
        { path: 'more.b', column: 'items__more__b', type: 'bigint', value: 1 },
      ],
    });
  });

  it('numbers the elements from 0, and those of an inner array anew for each outer one', () => {
    const contacts = [{ emails: [{ e: 1 }, { e: 2 }] }, {}, { emails: [{ e: 3 }] }];

    expect(lines(denested({ contacts }).rows).filter((line) => line.includes('emails'))).toEqual([
      'leads__contacts__emails[0,0] items__e=1',
      'leads__contacts__emails[0,1] items__e=2',
      'leads__contacts__emails[2,0] items__e=3',
    ]);
  });

  it('adds the objects between two arrays to the name', () => {
    const record = { a: [{ box: { inner: { list: [{ x: 1 }] } } }] };

    expect(lines(denested(record).rows).at(-1)).toBe('leads__a__box__inner__list[0,0] items__x=1');
  });

  it.each<[string, JsonValue, string[]]>([
    ['an empty array', [], []],
    ['null', null, []],
    ['an empty object', {}, []],
    ['an array of nulls', [null, null], ['leads__x[0]', 'leads__x[1]']],
    [
      'a mixed array',
      ['s', { y: 1 }, null, [2], true],
      [
        'leads__x[0] value=s',
        'leads__x[1] items__y=1',
        'leads__x[2]',
        'leads__x[3]',
        'leads__x[4] value=true',
        'leads__x__items[3,0] value=2',
      ],
    ],
    [
      'an array of arrays',
      [['a'], ['b', 'c']],
      [
        'leads__x[0]',
        'leads__x[1]',
        'leads__x__items[0,0] value=a',
        'leads__x__items[1,0] value=b',
        'leads__x__items[1,1] value=c',
      ],
    ],
    ['an array in an object', { y: [1] }, ['leads__x__y[0] value=1']],
  ])('turns %s into rows that are defined', (_, x, expected) => {
    expect(lines(denested({ x }).rows).slice(1)).toEqual(expected);
  });

  it('keeps an empty text, zero and false, which are values', () => {
    expect(lines(denested({ a: '', b: 0, c: false, d: null }).rows)).toEqual([
      'leads a= b=0 c=false',
    ]);
  });

  it('sets the record beside its rows, untouched', () => {
    const record = Object.freeze({ id: 'lead_9', note: 'a\0b' });

    const result = denest(record, UPSERTED, LAYOUTS.stitch);

    expect(result).toMatchObject({ key: 'lead_9' });
    expect('record' in result && result.record).toBe(record);
  });
});

describe('names that set traps', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'valueOf'])(
    'takes a field called %s as any other, at each depth',
    (field) => {
      const text = `{"id":"lead_1","${field}":{"${field}":1},"list":[{"${field}":2}]}`;
      const record = JSON.parse(text) as JsonRecord;

      const result = denest(record, UPSERTED, LAYOUTS.stitch);

      expect('rows' in result && lines(result.rows)).toEqual([
        `leads ${field}__${field}=1`,
        `leads__list[0] items__${field}=2`,
      ]);
      expect(Object.hasOwn(Object.prototype, 'list')).toBe(false);
    },
  );

  it.each([
    ['a dot and an object', { 'a.b': 1, a: { b: 2 } }],
    ['an empty name', { '': { a: 1 }, a: 2 }],
    ['empty names below each other', { '': { '': 1 }, '.': 2 }],
    ['an empty name at the end', { a: { '': 1 }, 'a.': 2 }],
    ['a backslash', { 'a\\.b': 1, 'a\\': { b: 2 } }],
    ['NUL and its escape', { 'a\0': 1, 'a\\u0000': 2 }],
    ['half a pair and its escape', { '\ud800': 1, '\\ud800': 2, '\udc00': 3 }],
    ['the mark of an element', { '[]': 1, '\\[]': 2 }],
  ])('gives two fields two paths: %s', (_, record) => {
    const paths = denested(record).rows.flatMap(({ cells }) => cells.map(({ path }) => path));

    expect(new Set(paths).size).toBe(Object.keys(record).length);
    expect(paths.every((path) => path.isWellFormed() && !path.includes('\0'))).toBe(true);
  });

  it.each([
    ['a slash and an array', { 'a/b': [1], a: [{ b: [2] }] }],
    ['an inner array and a field of its name', { x: [[1], { items: [2] }] }],
    ['an inner array and a field of its path', { x: [[1], { '[]': [2] }] }],
    ['an element and a field of its name', { x: [1, { value: 2 }] }],
  ])('gives two places two paths: %s', (_, record) => {
    const leaves = denested(record).rows.flatMap(({ table, cells }) =>
      cells.map(({ path }) => `${table} ${path}`),
    );

    expect(new Set(leaves).size).toBe(2);
  });
});

describe('rejects', () => {
  it.each([undefined, null, '', 7, true, { a: 1 }, ['x'], new ExactNumber('1.0')])(
    'a record whose key is %j',
    (id) => {
      const record = (id === undefined ? { name: 'x' } : { id }) as JsonRecord;

      const result = denest(record, UPSERTED, LAYOUTS.stitch);

      const reason = 'Field id is missing or is not a text';
      expect(result).toEqual({ reject: { record, table: 'leads', reason } });
    },
  );

  it.each(['lead\0', 'lead\ud800', '\udc00'])(
    'a record whose key PostgreSQL cannot store: %j',
    (id) => {
      expect(denest({ id }, UPSERTED, LAYOUTS.stitch)).toMatchObject({
        reject: { reason: 'Field id holds what PostgreSQL cannot store' },
      });
    },
  );

  it.each([
    '_sdc_sequence',
    '_SDC',
    '_rjm_x',
    'age__bi',
    'age__IT',
    'x__bo',
    'x__de',
    'x__do',
    'x__st',
    'x__ti',
  ])('a record with the reserved field %s, wherever it is', (field) => {
    const reason = `Field name "${field}" is reserved`;

    expect(reasonOf({ id: 'a', [field]: 1 })).toBe(reason);
    expect(reasonOf({ id: 'a', x: { [field]: null } })).toBe(reason);
    expect(reasonOf({ id: 'a', x: [{ y: [{ [field]: 1 }] }] })).toBe(reason);
  });

  it.each(['sdc', 'x_sdc', '_type', 'age__', 'age__xx', 'bi', '__b', 'age__bigint'])(
    'no record for a field called %s',
    (field) => {
      expect(reasonOf({ id: 'a', [field]: 1 })).toBeUndefined();
    },
  );

  it('a record in whose reason a name of megabytes would stand, with a part of it', () => {
    const reason = reasonOf({ id: 'a', [`_sdc${'x'.repeat(1_000_000)}`]: 1 });

    expect(reason?.length).toBeLessThan(200);
  });

  it('a record whose path no index could hold, instead of failing its page for ever', () => {
    expect(reasonOf({ id: 'a', ['x'.repeat(2_395)]: 1 })).toBeUndefined();
    expect(reasonOf({ id: 'a', ['x'.repeat(2_396)]: 1 })).toMatch(/too long/);
    expect(reasonOf({ id: 'a', ['漢'.repeat(799)]: 1 })).toMatch(/too long/);
    expect(reasonOf({ id: 'a', l: [{ ['x'.repeat(2_396)]: 1 }] })).toMatch(/too long/);
  });

  it('arrays in arrays that would need a wider key than PostgreSQL has', () => {
    const nested = (depth: number): JsonValue => (depth === 0 ? 'x' : [nested(depth - 1)]);

    expect(reasonOf({ id: 'a', x: nested(30) })).toBeUndefined();
    expect(reasonOf({ id: 'a', x: nested(31) })).toBe('Arrays lie more than 30 deep');
    expect(reasonOf({ id: 'a', x: nested(31) }, 'jsonb')).toBeUndefined();
  });
});

describe('depth', () => {
  const deep = (wrap: (inner: JsonValue) => JsonValue): JsonRecord => {
    let value: JsonValue = 'x';
    for (let depth = 0; depth < 10_000; depth += 1) value = wrap(value);
    return { id: 'a', deep: value };
  };

  it.each<[string, (inner: JsonValue) => JsonValue]>([
    ['objects', (inner) => ({ a: inner })],
    ['arrays', (inner) => [inner]],
    ['both', (inner) => [{ a: inner }]],
  ])('of 10,000 %s ends in a reason and not in a stack overflow', (_, wrap) => {
    const record = deep(wrap);

    for (const layout of ['stitch', 'stitch-v2'] as const) {
      expect(reasonOf(record, layout)).toMatch(/too long|30 deep/);
    }
  });

  it('of 10,000 arrays is one cell in the layout jsonb', () => {
    const { rows } = denested(
      deep((inner) => [inner]),
      'jsonb',
    );

    expect(rows[0]?.cells).toEqual([
      {
        path: 'deep',
        column: 'deep',
        type: 'jsonb',
        value: `${'['.repeat(10_000)}"x"${']'.repeat(10_000)}`,
      },
    ]);
  });
});

describe('the version of a record', () => {
  it.each<[JsonValue, string | null]>([
    ['2022-11-08T16:28:54.14+00:00', '2022-11-08T16:28:54.140000Z'],
    ['2022-11-08T16:28:54.140001+02:00', '2022-11-08T14:28:54.140001Z'],
    ['soon', null],
    ['', null],
    [null, null],
    [1668000353, null],
    [{ a: 1 }, null],
    [['2022-11-08'], null],
  ])('is told by its version field: %j', (date, version) => {
    expect(denested({ date_updated: date }).version).toBe(version);
  });

  it('is null where there is no such field', () => {
    expect(denested({}).version).toBeNull();
  });
});

describe('content', () => {
  const content = (record: JsonRecord, stream = APPENDED): string =>
    denested(record, 'stitch', stream).content;

  it.each<[string, JsonRecord, JsonRecord]>([
    ['a value', { a: 1 }, { a: 2 }],
    ['a type', { a: 1 }, { a: '1' }],
    ['a flag and its name', { a: true }, { a: 'true' }],
    ['a field', { a: 1 }, { b: 1 }],
    ['a field more', { a: 1 }, { a: 1, b: '' }],
    ['the order of elements', { a: [1, 2] }, { a: [2, 1] }],
    ['one element more', { a: ['x'] }, { a: ['x', 'x'] }],
    ['a null element more', { a: ['x'] }, { a: ['x', null] }],
    ['the element that has it', { a: [{ b: 1 }, {}] }, { a: [{}, { b: 1 }] }],
    ['who of two has what', { a: [{ b: 1, c: 2 }, {}] }, { a: [{ b: 1 }, { c: 2 }] }],
    ['the array that has it', { a: [1], b: [] }, { a: [], b: [1] }],
    ['nesting', { a: { b: 1 } }, { 'a.b': 1 }],
    ['an object for an array', { a: { b: 1 } }, { a: [{ b: 1 }] }],
    ['an array for its element', { a: [[1]] }, { a: [{ items: [1] }] }],
    ['a value for its object', { a: ['x'] }, { a: [{ value: 'x' }] }],
    ['a value that looks like a field', { a: '1', b: '2' }, { a: '1\n1:b:st:1=2' }],
    ['a value that looks like one without lengths', { a: '1', b: '2' }, { a: '1\nb:st=2' }],
    ['a name that looks like a field', { a: '1', b: '2' }, { 'a:st:1=1\nb': '2' }],
    ['a date of the same day', { date: '2022-11-08' }, { date: '2022-11-08T00:00:01Z' }],
  ])('differs by %s', (_, first, second) => {
    expect(content(first)).not.toBe(content(second));
  });

  it.each<[string, JsonRecord, JsonRecord]>([
    ['the order of keys', { a: 1, b: { c: 1, d: [2] } }, { b: { d: [2], c: 1 }, a: 1 }],
    ['a field that is null', { a: 1 }, { a: 1, b: null }],
    ['an array that is empty', { a: 1 }, { a: 1, b: [] }],
    ['how an instant is written', { date: '2022-11-08T01:00:00+01:00' }, { date: '2022-11-08' }],
    ['a volatile field', { a: 1, user_name: 'Gob' }, { a: 1, user_name: 'George' }],
    ['an array in a volatile field', { watchers: [{ n: 'Gob' }] }, { watchers: ['x', 'y'] }],
  ])('does not differ by %s', (_, first, second) => {
    expect(content(first)).toBe(content(second));
  });

  it('differs by a field of a volatile name that lies deeper', () => {
    expect(content({ a: { user_name: 'x' } })).not.toBe(content({ a: { user_name: 'y' } }));
    expect(content({ a: [{ user_name: 'x' }] })).not.toBe(content({ a: [{ user_name: 'y' }] }));
  });

  it('takes volatile fields in where rows are upserted: a newer label is welcome', () => {
    const stream = { ...UPSERTED, volatileFields: ['user_name'] };

    expect(content({ user_name: 'x' }, stream)).not.toBe(content({ user_name: 'y' }, stream));
  });

  it('still loads what it leaves out', () => {
    const record = { user_name: 'Gob', watchers: ['x'] };

    expect(lines(denested(record, 'stitch', APPENDED).rows)).toEqual([
      'activities user_name=Gob',
      'activities__watchers[0] value=x',
    ]);
  });
});
