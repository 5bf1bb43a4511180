import { describe, expect, it } from 'vitest';
import { ExactNumber, type JsonValue } from '../../src/core/record.js';
import {
  classify,
  fittingType,
  storableText,
  type ColumnType,
  type TypedValue,
} from '../../src/core/typing.js';

const exact = (text: string): ExactNumber => new ExactNumber(text);

describe('numbers', () => {
  it.each<[JsonValue, ColumnType, number | string]>([
    [300000, 'bigint', 300000],
    [0, 'bigint', 0],
    [-7, 'bigint', -7],
    [0.1, 'double precision', 0.1],
    [-1.5e-7, 'double precision', -1.5e-7],
    [2 ** 53 - 1, 'bigint', 9007199254740991],
    [2 ** 53, 'bigint', '9007199254740992'],
    [2 ** 64, 'double precision', '18446744073709552000'],
    [1e21, 'double precision', '1e+21'],
    [exact('9007199254740993'), 'bigint', '9007199254740993'],
    [exact('-9007199254740993'), 'bigint', '-9007199254740993'],
    [exact('9223372036854775807'), 'bigint', '9223372036854775807'],
    [exact('9223372036854775808'), 'numeric', '9223372036854775808'],
    [exact('-9223372036854775808'), 'bigint', '-9223372036854775808'],
    [exact('-9223372036854775809'), 'numeric', '-9223372036854775809'],
    [exact('12345678901234567890'), 'numeric', '12345678901234567890'],
    [exact('1000000000000000000000'), 'double precision', '1000000000000000000000'],
    [exact('4.0'), 'double precision', '4.0'],
    [exact('4.50'), 'double precision', '4.50'],
    [exact('1e3'), 'double precision', '1e3'],
    [exact('1E+3'), 'double precision', '1E+3'],
    [exact('0.1'), 'double precision', '0.1'],
    [
      exact('0.1000000000000000055511151231257827'),
      'numeric',
      '0.1000000000000000055511151231257827',
    ],
    [exact('123456789.123456789012'), 'numeric', '123456789.123456789012'],
    [exact('-0'), 'bigint', '0'],
    [exact('-0.0'), 'double precision', '-0.0'],
    [exact('0e5'), 'double precision', '0e5'],
    [exact('1e308'), 'double precision', '1e308'],
    [exact('1e309'), 'numeric', '1e309'],
    [exact('1e400'), 'numeric', '1e400'],
    [exact('1e-400'), 'numeric', '1e-400'],
    [exact('4.9e-324'), 'numeric', '4.9e-324'],
    [exact('1e131071'), 'numeric', '1e131071'],
    [exact('1e131072'), 'text', '1e131072'],
    [exact('1e-16383'), 'numeric', '1e-16383'],
    [exact('1e-16384'), 'text', '1e-16384'],
    [exact('1e200000'), 'text', '1e200000'],
    [exact('1e99999999999999999999'), 'text', '1e99999999999999999999'],
    [exact('NaN'), 'text', 'NaN'],
  ])('gives %o the type %s', (value, type, loaded) => {
    expect(classify(['value'], value)).toEqual({ type, value: loaded });
  });

  it('takes a number of 200,000 digits in its stride', () => {
    const text = `0.1${'0'.repeat(200_000)}1`;
    const startedMs = performance.now();

    const typed = classify(['value'], exact(text));

    expect(typed?.type).toBe('text');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe('other scalars', () => {
  it('gives null no type, so that it makes no column', () => {
    expect(classify(['a'], null)).toBeUndefined();
  });

  it.each<[JsonValue, TypedValue]>([
    [true, { type: 'boolean', value: true }],
    [false, { type: 'boolean', value: false }],
    ['', { type: 'text', value: '' }],
    ['true', { type: 'text', value: 'true' }],
    ['12', { type: 'text', value: '12' }],
    ['null', { type: 'text', value: 'null' }],
  ])('does not coerce %j', (value, typed) => {
    expect(classify(['field'], value)).toEqual(typed);
  });

  it('takes scalars only', () => {
    expect(() => classify(['a'], [])).toThrow(TypeError);
    expect(() => classify(['a'], {})).toThrow(TypeError);
  });
});

describe('times', () => {
  const noon = '2022-11-09T12:00:00.123456Z';

  it.each([
    'date',
    'date_created',
    'date_won',
    'due_date',
    'task_due_date_local',
    'activity_at',
    'starts_at',
    'next_billing_on',
  ])('are read in a field called %s', (field) => {
    expect(classify([field], noon)).toEqual({ type: 'timestamptz', value: noon });
    expect(classify(['nested', field], noon)?.type).toBe('timestamptz');
  });

  it.each(['note', 'update', 'updated', 'dated', 'candidate', 'at', 'flat', 'format', 'dates'])(
    'are not looked for in a field called %s',
    (field) => {
      expect(classify([field], noon)).toEqual({ type: 'text', value: noon });
      expect(classify(['nested', field], noon)).toEqual({ type: 'text', value: noon });
    },
  );

  it.each([
    ['2021-07-16', '2021-07-16T00:00:00.000000Z'],
    ['2022-11-08T16:28:54.14+00:00', '2022-11-08T16:28:54.140000Z'],
    ['2022-11-08T16:28:54', '2022-11-08T16:28:54.000000Z'],
    ['2022-11-08T16:28:54+05:30', '2022-11-08T10:58:54.000000Z'],
  ])('come as %s and are loaded as %s', (text, value) => {
    expect(classify(['date_won'], text)).toEqual({ type: 'timestamptz', value });
  });

  it.each([
    '',
    'n/a',
    '0000-00-00',
    '0000-01-01T00:00:00Z',
    '294277-01-01',
    '2023-02-29',
    '2022-11-08T23:59:60Z',
    'Tue, 08 Nov 2022 08:09:09 -0800 (PST)',
    '4/21/17 9:21 AM (GMT-05:00)',
  ])('that are none, as %j, stay text', (text) => {
    expect(classify(['date_won'], text)).toEqual({ type: 'text', value: text });
  });

  it("leaves a mail's own Date header as its sender wrote it", () => {
    expect(classify(['envelope', 'date'], noon)).toEqual({ type: 'text', value: noon });
    expect(classify(['message', 'date'], noon)?.type).toBe('timestamptz');
  });

  it('tells a custom value by its form, since labels say anything', () => {
    expect(classify(['custom', 'Renewal'], noon)?.type).toBe('timestamptz');
    expect(classify(['custom', 'Renewal'], '2022-11-09T12:00:00+00:00')?.type).toBe('timestamptz');
    expect(classify(['custom', 'date'], '2022-11-09')?.type).toBe('text');
    expect(classify(['custom', 'Update date'], 'soon')?.type).toBe('text');
    expect(classify(['custom'], noon)?.type).toBe('text');
  });
});

describe('text', () => {
  it.each([
    ['a\0b', 'a\ufffdb'],
    ['\0\0', '\ufffd\ufffd'],
    ['\ud800', '\ufffd'],
    ['x\udc00y', 'x\ufffdy'],
    ['😀', '😀'],
    ['"\\\n\u2028', '"\\\n\u2028'],
  ])('%j is stored as %j', (text, stored) => {
    expect(classify(['note'], text)).toEqual({ type: 'text', value: stored });
    expect(storableText(stored)).toBe(stored);
  });
});

describe('fittingType', () => {
  const bigint = (value: number | string): TypedValue => ({ type: 'bigint', value });
  const double: TypedValue = { type: 'double precision', value: 0.5 };
  const numeric: TypedValue = { type: 'numeric', value: '1e400' };
  const text: TypedValue = { type: 'text', value: '5' };
  const flag: TypedValue = { type: 'boolean', value: true };
  const time: TypedValue = { type: 'timestamptz', value: '2022-11-09T00:00:00.000000Z' };

  it.each<[string, TypedValue, ColumnType[], ColumnType | undefined]>([
    ['a type that is there', text, ['bigint', 'text'], 'text'],
    ['an integer among doubles', bigint(5), ['double precision'], 'double precision'],
    ['an integer where it has a column', bigint(5), ['double precision', 'bigint'], 'bigint'],
    ['2^53 among doubles', bigint('9007199254740992'), ['double precision'], 'double precision'],
    ['2^53 + 1 among doubles', bigint('9007199254740993'), ['double precision'], undefined],
    ['-2^53 - 1 among doubles', bigint('-9007199254740993'), ['double precision'], undefined],
    ['2^53 + 1 among numerics', bigint('9007199254740993'), ['numeric'], 'numeric'],
    ['a double among numerics', double, ['numeric'], 'numeric'],
    ['a double among integers', double, ['bigint'], undefined],
    ['a numeric among doubles', numeric, ['bigint', 'double precision'], undefined],
    ['digits in a text among integers', text, ['bigint'], undefined],
    ['an integer among texts', bigint(5), ['text'], undefined],
    ['a flag among integers', flag, ['bigint', 'text'], undefined],
    ['a time among texts', time, ['text'], undefined],
    ['anything among nothing', double, [], undefined],
  ])('%s', (_, value, existing, expected) => {
    expect(fittingType(value, new Set(existing))).toBe(expected);
  });
});
