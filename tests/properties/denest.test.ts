import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { denest, type Denested, type Row } from '../../src/core/denest.js';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import {
  ExactNumber,
  isJsonRecord,
  type JsonRecord,
  type JsonValue,
} from '../../src/core/record.js';
import { classify, storableText } from '../../src/core/typing.js';
import { APPENDED } from '../core/streams.js';
import { difference, renest as renestRow } from '../postgres/read-back.js';
import { exactNumber, record, shuffled } from './seeded.js';

/** No field of these is volatile: any change must make a difference. */
const STREAM = { ...APPENDED, volatileFields: [] };

function denested(value: JsonRecord, layout: LayoutName): Denested {
  const result = denest(value, STREAM, LAYOUTS[layout]);
  if ('reject' in result) throw new Error(result.reject.reason);
  return result;
}

/** A leaf and the way to it; a number is an array's position, a text an object's field. */
interface Leaf {
  readonly way: readonly (string | number)[];
  readonly value: unknown;
}

/** The leaves of a record, in the form in which their columns take them. */
function leavesOf(value: JsonValue, way: readonly (string | number)[] = []): Leaf[] {
  if (Array.isArray(value)) {
    return (value as readonly JsonValue[]).flatMap((each, index) =>
      leavesOf(each, [...way, index]),
    );
  }
  if (isJsonRecord(value)) {
    return Object.entries(value).flatMap(([key, each]) =>
      leavesOf(each, [...way, storedName(key)]),
    );
  }
  // Typing depends on the fields since the last array.
  const fields = way.slice(way.findLastIndex((step, at) => isElementStart(way, at, step)) + 1);
  const typed = classify(
    fields.filter((step) => typeof step === 'string'),
    value,
  );
  return typed === undefined ? [] : [{ way, value: typed.value }];
}

/** An element that is an object begins anew; one that is a scalar is typed by its array's field. */
function isElementStart(
  way: readonly (string | number)[],
  at: number,
  step: string | number,
): boolean {
  return typeof step === 'number' && typeof way[at + 1] === 'string';
}

/** What a path can hold of a name: the escapes of NUL and of halves of a pair. */
function storedName(name: string): string {
  return name.replace(
    /\0|\p{Surrogate}/gu,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Takes a path apart where `.` or `/` is not escaped. */
function split(path: string, separator: '.' | '/'): string[] {
  const parts = [''];
  for (let index = 0; index < path.length; index += 1) {
    const unit = path[index] as string;
    if (unit === separator) parts.push('');
    else {
      const length = unit === '\\' ? 2 : 1;
      parts[parts.length - 1] += path.slice(index, index + length);
      index += length - 1;
    }
  }
  return parts;
}

/** The fields that a path names: `[]` is an element, `\[`, `\.` are characters of a name. */
function fieldsOf(path: string): string[] {
  if (path === '[]') return [];
  return split(path, '.').map((part) => part.replace(/\\([./\\[])/g, '$1'));
}

/** The leaves again, from nothing but what the rows say of themselves: paths and positions. */
function renest(rows: readonly Row[]): Leaf[] {
  return rows.flatMap(({ table, levels, cells }) => {
    const arrays = split(table, '/').slice(1);
    const start = arrays.flatMap((path, depth) => [...fieldsOf(path), levels[depth] ?? NaN]);
    return cells.map(({ path, value }) => ({ way: [...start, ...fieldsOf(path)], value }));
  });
}

function sorted(leaves: readonly Leaf[]): string[] {
  return leaves.map((leaf) => JSON.stringify(leaf)).sort();
}

/** A record without its key, which lies in every row and in no cell. */
function withoutKey(value: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(value).filter(([field]) => field !== 'id'));
}

describe('de-nesting', () => {
  it.each(['stitch', 'stitch-v2'] as const)('loses no leaf and invents none (%s)', (layout) => {
    fc.assert(
      fc.property(record, (value) => {
        const { rows } = denested(value, layout);

        expect(sorted(renest(rows))).toEqual(sorted(leavesOf(withoutKey(value))));
      }),
      { numRuns: 500 },
    );
  });

  it.each(Object.keys(LAYOUTS) as LayoutName[])(
    'says what each leaf was, digit by digit (%s)',
    (layout) => {
      fc.assert(
        fc.property(record, (value) => {
          const leaves = denested(value, layout).rows.flatMap(({ table, levels, cells }) =>
            renestRow(
              table,
              levels,
              cells.map((cell) => ({ ...cell, text: String(cell.value) })),
            ),
          );

          expect(difference(value, leaves)).toEqual([[], []]);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('gives no two cells of a row one path, and no two rows one place', () => {
    fc.assert(
      fc.property(
        record,
        fc.constantFrom(...(Object.keys(LAYOUTS) as LayoutName[])),
        (value, layout) => {
          const { rows } = denested(value, layout);

          const places = rows.map(({ table, levels }) => `${table} ${levels.join()}`);
          expect(new Set(places).size).toBe(rows.length);
          for (const { cells } of rows) {
            expect(new Set(cells.map(({ path }) => path)).size).toBe(cells.length);
          }
        },
      ),
    );
  });

  it('sets the parent of each row before it', () => {
    fc.assert(
      fc.property(record, (value) => {
        const { rows } = denested(value, 'stitch');

        const seen = new Set(['']);
        for (const { levels } of rows) {
          expect(seen.has(levels.slice(0, -1).join())).toBe(true);
          seen.add(levels.join());
        }
        expect(rows[0]?.levels).toEqual([]);
      }),
    );
  });

  it('gives PostgreSQL nothing that it cannot store', () => {
    fc.assert(
      fc.property(
        record,
        fc.constantFrom(...(Object.keys(LAYOUTS) as LayoutName[])),
        (value, layout) => {
          for (const { table, cells } of denested(value, layout).rows) {
            for (const { path, value: loaded } of [{ path: table, value: '' }, ...cells]) {
              for (const text of [path, String(loaded)]) expect(storableText(text)).toBe(text);
            }
          }
        },
      ),
    );
  });

  it('keeps each array whole where arrays are one column', () => {
    fc.assert(
      fc.property(record, (value) => {
        const [row, ...others] = denested(value, 'jsonb').rows;

        expect(others).toEqual([]);
        for (const { type, value: text } of row?.cells ?? []) {
          if (type === 'jsonb') expect(Array.isArray(JSON.parse(String(text)))).toBe(true);
        }
      }),
    );
  });
});

/** One leaf of a record, changed; undefined when it has none. */
function withChangedLeaf(value: JsonRecord, index: number): JsonRecord | undefined {
  let at = leavesOf(withoutKey(value)).length;
  if (at === 0) return undefined;
  at = index % at;
  const walk = (each: JsonValue): JsonValue => {
    if (Array.isArray(each)) return (each as readonly JsonValue[]).map(walk);
    if (isJsonRecord(each)) {
      return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]));
    }
    if (each === null) return each;
    at -= 1;
    return at === -1 ? changed(each) : each;
  };
  return { ...(walk(withoutKey(value)) as JsonRecord), id: 'lead_1' };
}

function changed(leaf: JsonValue): JsonValue {
  if (typeof leaf === 'string') return `${leaf}!`;
  if (typeof leaf === 'boolean') return !leaf;
  return leaf instanceof ExactNumber ? 'no number' : true;
}

describe('content', () => {
  it('does not see the order of keys', () => {
    fc.assert(
      fc.property(
        record,
        fc.constantFrom(...(Object.keys(LAYOUTS) as LayoutName[])),
        fc.func(fc.double({ noNaN: true })),
        (value, layout, order) => {
          let calls = 0;
          const other = shuffled(value, () => order((calls += 1)));

          const [first, second] = [value, other as JsonRecord].map((each) =>
            denested(each, layout),
          );

          expect(second?.content).toBe(first?.content);
          expect(second?.rows).toEqual(first?.rows);
        },
      ),
    );
  });

  it('sees the change of any leaf', () => {
    fc.assert(
      fc.property(
        record,
        fc.constantFrom(...(Object.keys(LAYOUTS) as LayoutName[])),
        fc.nat(),
        (value, layout, index) => {
          const other = withChangedLeaf(value, index);
          fc.pre(other !== undefined);

          expect(denested(other, layout).content).not.toBe(denested(value, layout).content);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is equal exactly when the rows are', () => {
    fc.assert(
      fc.property(record, record, (first, second) => {
        const [one, other] = [denested(first, 'stitch'), denested(second, 'stitch')];

        const rowsOf = ({ rows }: Denested): string => JSON.stringify(rows);
        expect(one.content === other.content).toBe(rowsOf(one) === rowsOf(other));
      }),
      { numRuns: 500 },
    );
  });

  it('takes an exact number for what it says', () => {
    fc.assert(
      fc.property(exactNumber, exactNumber, (first, second) => {
        const [one, other] = [first, second].map((value) => denested({ id: 'a', value }, 'jsonb'));

        if (first.text === second.text) expect(one?.content).toBe(other?.content);
        if (one?.content === other?.content) expect(Number(first.text)).toBe(Number(second.text));
      }),
    );
  });
});
