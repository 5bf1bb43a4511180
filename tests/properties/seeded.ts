import fc from 'fast-check';
import { ExactNumber, type JsonRecord, type JsonValue } from '../../src/core/record.js';

/**
 * fast-check prints the seed of a run that fails: `SEED=… npx vitest run tests/properties` is that
 * run again. `RUNS=100000` looks longer than the second that each property takes by itself.
 */
const { SEED, RUNS } = process.env;
fc.configureGlobal({
  ...(SEED !== undefined && { seed: Number(SEED) }),
  ...(RUNS !== undefined && { numRuns: Number(RUNS) }),
});

/** Texts of the kinds that break things: any unit, so NUL and halves of pairs too. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 })
      .map((units) => String.fromCharCode(...units)),
  },
  { weight: 1, arbitrary: fc.constantFrom('', '\0', '\ud800', '2022-11-08', '1e5', 'null', '"') },
);

/** Field names that clash, need escapes, or are those of Object.prototype; none is reserved. */
export const fieldName: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'a__b', 'items', 'value', 'date', 'A') },
    {
      weight: 2,
      arbitrary: fc.constantFrom('', '.', '/', '\\', '[]', 'a.b', 'a/b', '__', '"', '\0'),
    },
    { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'length') },
    { weight: 2, arbitrary: anyText },
  )
  .filter((name) => !/^(?:_sdc|_rjm)|__(?:bi|bo|de|do|it|st|ti)$/i.test(name));

export const exactNumber: fc.Arbitrary<ExactNumber> = fc
  .tuple(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.option(fc.integer({ min: 0, max: 10 ** 9 }), { nil: undefined }),
    fc.option(fc.integer({ min: -400, max: 400 }), { nil: undefined }),
  )
  .map(([whole, fraction, exponent]) => {
    const point = fraction === undefined ? '' : `.${fraction}`;
    return new ExactNumber(`${whole}${point}${exponent === undefined ? '' : `e${exponent}`}`);
  });

export const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  exactNumber,
  anyText,
);

/** An object from pairs; `fromEntries`, so that `__proto__` is a field like any other. */
function objectOf(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonRecord> {
  return fc
    .array(fc.tuple(fieldName, value), { maxLength: 5 })
    .map((pairs) => Object.fromEntries(pairs));
}

export const jsonValue: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    objectOf(tie('value')),
  ),
})).value;

/** A record with a key, as a stream of the tests has it. */
export const record: fc.Arbitrary<JsonRecord> = objectOf(jsonValue).map((fields) =>
  Object.fromEntries<JsonValue>([...Object.entries(fields), ['id', 'lead_1']]),
);

/** The same value, with the keys of each of its objects in another order. */
export function shuffled(value: JsonValue, random: () => number): JsonValue {
  if (Array.isArray(value)) {
    return (value as readonly JsonValue[]).map((element) => shuffled(element, random));
  }
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return value;
  const entries = Object.entries(value as JsonRecord).map(
    ([key, inner]) => [random(), key, shuffled(inner, random)] as const,
  );
  entries.sort(([first], [second]) => first - second);
  return Object.fromEntries(entries.map(([, key, inner]) => [key, inner]));
}
