import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExactNumber } from '../../src/core/record.js';
import {
  classify,
  fittingType,
  storableText,
  type ColumnType,
  type TypedValue,
} from '../../src/core/typing.js';
import { anyText, exactNumber, scalar } from './seeded.js';

/** A decimal as sign, digits and power of ten: the number itself, with no rounding. */
function decimal(text: string): { digits: bigint; exponent: number } {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  let digits = BigInt(`${sign}${whole}${fraction}`);
  let exponent = Number(power) - fraction.length;
  if (digits === 0n) return { digits, exponent: 0 };
  while (digits % 10n === 0n) [digits, exponent] = [digits / 10n, exponent + 1];
  return { digits, exponent };
}

/** What PostgreSQL gives back for a number that was loaded into a column of this type. */
function readBack(value: TypedValue['value'], type: ColumnType): string {
  const text = String(value);
  // A double prints its shortest digits; integers and numerics print what they were given.
  return type === 'double precision' ? String(Number(text)) : text;
}

const number = fc.oneof(
  exactNumber,
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc
    .tuple(fc.constantFrom(53n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }), fc.boolean())
    .map(([power, more, isNegative]) => {
      const value = 2n ** power + more;
      return new ExactNumber(String(isNegative ? -value : value));
    }),
);
const types: fc.Arbitrary<ColumnType> = fc.constantFrom(
  ...(['boolean', 'bigint', 'double precision', 'numeric', 'timestamptz', 'text'] as const),
);

const textOf = (value: number | ExactNumber): string =>
  value instanceof ExactNumber ? value.text : String(value);

it('loses no digit of a number, in whichever column it comes to lie', () => {
  fc.assert(
    fc.property(number, fc.uniqueArray(types), (value, existing) => {
      const typed = classify(['value'], value) as TypedValue;
      const column = fittingType(typed, new Set(existing)) ?? typed.type;

      expect(decimal(readBack(typed.value, column))).toEqual(decimal(textOf(value)));
    }),
    { numRuns: 2_000 },
  );
});

it('calls a number a double exactly when a double gives its digits back', () => {
  fc.assert(
    fc.property(number, (value) => {
      const typed = classify(['value'], value) as TypedValue;
      const { digits, exponent } = decimal(textOf(value));
      const double = Number(textOf(value));
      const isSame =
        Number.isFinite(double) &&
        decimal(String(double)).digits === digits &&
        decimal(String(double)).exponent === exponent;

      if (typed.type === 'double precision') expect(isSame).toBe(true);
      if (typed.type === 'numeric' || typed.type === 'text') expect(isSame).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

it('keeps a bigint between -2^63 and 2^63 - 1', () => {
  fc.assert(
    fc.property(number, (value) => {
      const typed = classify(['value'], value) as TypedValue;

      if (typed.type !== 'bigint') return;
      const integer = BigInt(typed.value);
      expect(BigInt.asIntN(64, integer)).toBe(integer);
    }),
  );
});

it('takes any scalar without throwing, and null alone makes no column', () => {
  fc.assert(
    fc.property(scalar, fc.array(anyText, { maxLength: 3 }), (value, path) => {
      expect(classify(path, value) === undefined).toBe(value === null);
    }),
  );
});

it('moves no value into a column of a type that says something else', () => {
  const related = new Set([
    'bigint double precision',
    'bigint numeric',
    'double precision numeric',
  ]);
  fc.assert(
    fc.property(scalar, fc.uniqueArray(types), (value, existing) => {
      const typed = classify(['value'], value);
      const column = typed && fittingType(typed, new Set(existing));

      if (typed === undefined || column === undefined || column === typed.type) return;
      expect(related).toContain(`${typed.type} ${column}`);
      expect(existing).not.toContain(typed.type);
    }),
  );
});

/** The columns of a field after these values: what fits one takes it, the rest makes a sibling. */
function columnsAfter(
  values: readonly TypedValue[],
  before: ReadonlySet<ColumnType> = new Set(),
): ReadonlySet<ColumnType> {
  const columns = new Set(before);
  for (const value of values) columns.add(fittingType(value, columns) ?? value.type);
  return columns;
}

const typedValues = fc
  .array(fc.oneof(number, scalar), { maxLength: 12 })
  .map((values) => values.flatMap((value) => classify(['date'], value) ?? []));

it('is a join semilattice: more values only add columns, and none is asked for twice', () => {
  fc.assert(
    fc.property(
      typedValues.chain((values) =>
        fc.tuple(fc.constant(values), fc.shuffledSubarray(values, { minLength: values.length })),
      ),
      fc.uniqueArray(types),
      ([values, others], more) => {
        const [first, second] = [columnsAfter(values), columnsAfter(others)];
        const both = new Set([...first, ...second, ...more]);

        // Whatever came first: what took the values in one order takes them in any, and so does a union.
        expect(columnsAfter(others, first)).toEqual(first);
        expect(columnsAfter(values, second)).toEqual(second);
        expect(columnsAfter(values, both)).toEqual(both);
        // No column is made that no value has the type of.
        const own = new Set(values.map(({ type }) => type));
        expect([...first, ...second].every((type) => own.has(type))).toBe(true);
        for (const { type } of values) {
          if (!['bigint', 'double precision'].includes(type)) expect(first).toContain(type);
        }
      },
    ),
    { numRuns: 500 },
  );
});

it('takes a value into a wider column whenever it takes a wider value there', () => {
  const takes = (column: ColumnType, value: TypedValue): boolean =>
    fittingType(value, new Set([column])) === column;
  fc.assert(
    fc.property(number, number, (first, second) => {
      const [a, b] = [first, second].map((value) => classify(['value'], value) as TypedValue);
      if (a === undefined || b === undefined || a.type === 'text' || b.type === 'text') return;

      // A partial order with a top among numbers: each fits itself, two never each other.
      expect(takes(a.type, a)).toBe(true);
      expect(takes('numeric', a)).toBe(true);
      if (a.type !== b.type) expect(takes(a.type, b) && takes(b.type, a)).toBe(false);
    }),
    { numRuns: 500 },
  );
});

it('makes text storable once, and changes only what PostgreSQL cannot hold', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const stored = storableText(text);

      expect(stored.includes('\0')).toBe(false);
      expect(stored.isWellFormed()).toBe(true);
      expect(storableText(stored)).toBe(stored);
      expect(stored).toHaveLength(text.length);
      if (text.isWellFormed() && !text.includes('\0')) expect(stored).toBe(text);
    }),
  );
});
