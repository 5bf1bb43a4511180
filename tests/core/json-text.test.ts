import { describe, expect, it } from 'vitest';
import { jsonText } from '../../src/core/json-text.js';
import { ExactNumber, type JsonValue } from '../../src/core/record.js';

describe('jsonText', () => {
  it.each<[JsonValue, string]>([
    [null, 'null'],
    [true, 'true'],
    [-1.5, '-1.5'],
    ['a"\n', '"a\\"\\n"'],
    [[], '[]'],
    [{}, '{}'],
    [[1, [2, []], {}], '[1,[2,[]],{}]'],
    [{ b: [{ d: 1, c: 2 }], a: null }, '{"a":null,"b":[{"c":2,"d":1}]}'],
    [{ '': 1, '"': 2 }, '{"":1,"\\"":2}'],
  ])('writes %j', (value, text) => {
    expect(jsonText(value)).toBe(text);
  });

  it.each([
    ['4.0', '4.0'],
    ['-0', '-0'],
    ['12345678901234567890', '12345678901234567890'],
    ['1e400', '1e400'],
    ['1e200000', '"1e200000"'],
    ['1e-16384', '"1e-16384"'],
  ])('writes the number %s as jsonb can hold it: %s', (number, text) => {
    expect(jsonText([new ExactNumber(number)])).toBe(`[${text}]`);
  });

  it('leaves out what jsonb refuses: NUL and halves of a pair, in keys as in values', () => {
    expect(jsonText({ 'a\0': '\0', b: '\udc00' })).toBe('{"a\ufffd":"\ufffd","b":"\ufffd"}');
  });

  it('leaves two keys two that would be one without what jsonb refuses', () => {
    const value = { 'a\0': 1, 'a\ud800': 2, 'a\ufffd': 3, a: 4, 'b\0': 5 };

    expect(jsonText(value)).toBe(
      '{"a":4,"a\ufffd\ufffd":1,"a\ufffd\ufffd\ufffd":2,"a\ufffd":3,"b\ufffd":5}',
    );
  });

  it('writes 100,000 levels', () => {
    let value: JsonValue = 1;
    for (let depth = 0; depth < 50_000; depth += 1) value = [{ a: value }];

    expect(jsonText(value)).toBe(`${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`);
  });

  it('keeps a key called __proto__', () => {
    const value = JSON.parse('{"__proto__":1}') as JsonValue;

    expect(jsonText(value)).toBe('{"__proto__":1}');
  });
});
