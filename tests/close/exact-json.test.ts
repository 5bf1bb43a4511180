import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isExactAsNumber, parseExactJson } from '../../src/close/exact-json.js';
import { ExactNumber, isJsonRecord, type JsonValue } from '../../src/core/record.js';

/** Any number that JSON's grammar allows. */
const numberText = fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,3})?$/);
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(': 4.0', '[1e5', ', 12345678901234567890', '"\\'),
);

/** JSON text with numbers kept as text: what came in must come out. */
function write(value: JsonValue): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (!isJsonRecord(value)) return JSON.stringify(value);
  const fields = Object.keys(value).map(
    (key) => `${JSON.stringify(key)}:${write(value[key] ?? null)}`,
  );
  return `{${fields.join(',')}}`;
}

describe('parseExactJson', () => {
  test('gives every number back digit by digit', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, numberText, text), { minLength: 1 }), (rows) => {
        const source = `[${rows
          .map(
            ([key, number, other]) =>
              `{${JSON.stringify(`k${key}`)}:${number},"s":${JSON.stringify(other)}}`,
          )
          .join(',')}]`;
        expect(write(parseExactJson(source))).toBe(source);
      }),
      { numRuns: 2_000 },
    );
  });

  test('agrees with JSON.parse on values without doubtful numbers', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const source = JSON.stringify(value);
        const parsed = parseExactJson(source);
        expect(JSON.parse(write(parsed))).toEqual(JSON.parse(source));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['12', 12],
    ['-7', -7],
    ['0', 0],
    ['4.5', 4.5],
    ['0.1', 0.1],
    ['9007199254740991', 9007199254740991],
  ])('keeps %s as a plain number', (source, expected) => {
    expect(parseExactJson(`{"n":${source}}`)).toEqual({ n: expected });
    expect(isExactAsNumber(source)).toBe(true);
  });

  test.each(['4.0', '-0', '-0.0', '1e3', '1E+400', '1.10', '9007199254740993', '9007199254740994'])(
    'keeps the text of %s',
    (source) => {
      for (const form of [`{"n":${source}}`, `{"n" :\n\t ${source} }`]) {
        expect(parseExactJson(form)).toEqual({ n: new ExactNumber(source) });
      }
      expect(parseExactJson(`[${source}]`)).toEqual([new ExactNumber(source)]);
      expect(parseExactJson(`[1,${source}]`)).toEqual([1, new ExactNumber(source)]);
      expect(parseExactJson(source)).toEqual(new ExactNumber(source));
    },
  );

  test.each(['{"n":1,', '{"n":4.0,'])('keeps __proto__ and its kin as own keys (%s…)', (start) => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const fields = names.map((name) => `"${name}":{"polluted":true}`).join(',');
    const value = parseExactJson(`${start}${fields}}`);
    expect(Object.keys(value as object)).toEqual(['n', ...names]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test.each(['1', '4.0'])('takes the last of two equal keys (beside %s)', (number) => {
    expect(parseExactJson(`{"n":${number},"a":1,"a":2}`)).toMatchObject({ a: 2 });
  });

  test.each(['', '{', '{"a":4.0', '[1e3,]', '{"a":4.0} x', 'nope'])('refuses %j', (source) => {
    expect(() => parseExactJson(source)).toThrow(SyntaxError);
  });

  test('reads 10,000 levels, or says that it cannot with an error that can be caught', () => {
    const nest = (inner: string) => '['.repeat(10_000) + inner + ']'.repeat(10_000);
    expect(() => parseExactJson(nest('1'))).not.toThrow();
    expect(() => parseExactJson(nest('4.0'))).toThrow(RangeError);
  });
});
