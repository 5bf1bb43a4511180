import { describe, expect, it } from 'vitest';
import {
  addMillis,
  DAY_MS,
  earlier,
  floorToMinute,
  instantFromMillis,
  later,
  parseInstant,
  toMillis,
  type Instant,
} from '../../src/core/instant.js';

describe('parseInstant', () => {
  it.each([
    ['2022-11-09T13:25:53.72+02:00', '2022-11-09T11:25:53.720000Z'],
    ['2022-11-09T11:25:53', '2022-11-09T11:25:53.000000Z'],
    ['2022-11-09', '2022-11-09T00:00:00.000000Z'],
    ['2022-11-09T11:25:53.123456Z', '2022-11-09T11:25:53.123456Z'],
    ['2022-11-09T11:25:53.123456+00:00', '2022-11-09T11:25:53.123456Z'],
    ['2022-11-09T11:25:53-00:00', '2022-11-09T11:25:53.000000Z'],
    ['2022-11-09T11:25:53.123456789Z', '2022-11-09T11:25:53.123456Z'],
    ['2022-11-09 11:25:53', '2022-11-09T11:25:53.000000Z'],
    ['2022-11-09T11:25:53,5Z', '2022-11-09T11:25:53.500000Z'],
    ['2022-11-09T11:25Z', '2022-11-09T11:25:00.000000Z'],
    ['2022-11-09T05:00:00.000001+05:30', '2022-11-08T23:30:00.000001Z'],
    ['2022-11-09T05:00:00+0530', '2022-11-08T23:30:00.000000Z'],
    ['2022-11-09T23:30:00-08', '2022-11-10T07:30:00.000000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000000Z'],
    ['1969-12-31T23:59:59.999999+00:00', '1969-12-31T23:59:59.999999Z'],
    ['1969-12-31T23:59:59.999999+01:00', '1969-12-31T22:59:59.999999Z'],
    ['0001-01-01', '0001-01-01T00:00:00.000000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
  ])('reads %s as %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  it.each([
    '',
    'n/a',
    'today',
    'Tue, 08 Nov 2022 08:09:09',
    '2022-11',
    '20221109',
    '2022-13-01',
    '2022-00-01',
    '2022-11-00',
    '2023-02-29',
    '2022-02-30T00:00:00Z',
    '2022-11-09T24:00:00Z',
    '2022-11-09T11:60:00Z',
    '2022-11-09T23:59:60Z',
    '2022-11-09T11:25:53.Z',
    '2022-11-09T11:25:53.1234567890Z',
    '2022-11-09T11:25:53+99:99',
    '2022-11-09T11:25:53+24:00',
    '2022-11-09T11:25:53+01:60',
    '2022-11-09T11:25:53z',
    '2022-11-09Z',
    ' 2022-11-09',
    '2022-11-09\n',
    '0000-00-00',
    '0000-12-31',
    '10000-01-01',
    '+010000-01-01',
    '294277-01-01',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-00:01',
    '1668000353',
  ])('leaves %j alone', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });
});

describe('arithmetic with instants', () => {
  const instant = parseInstant('2022-11-09T11:25:53.123456Z') as Instant;

  it('keeps the microseconds when it adds milliseconds', () => {
    expect(addMillis(instant, 1)).toBe('2022-11-09T11:25:53.124456Z');
    expect(addMillis(instant, -124)).toBe('2022-11-09T11:25:52.999456Z');
    expect(addMillis(instant, DAY_MS)).toBe('2022-11-10T11:25:53.123456Z');
  });

  it('reads clocks before 1970 too', () => {
    expect(instantFromMillis(-1)).toBe('1969-12-31T23:59:59.999000Z');
    expect(toMillis(instantFromMillis(-1))).toBe(-1);
    expect(instantFromMillis(0.9)).toBe('1970-01-01T00:00:00.000000Z');
    expect(instantFromMillis(-0.1)).toBe('1969-12-31T23:59:59.999000Z');
  });

  it.each([-62135596800001, 253402300800000, Infinity, NaN])(
    'refuses a clock that reads %d, instead of breaking the order of texts',
    (ms) => {
      expect(() => instantFromMillis(ms)).toThrow(RangeError);
    },
  );

  it('tells the earlier and the later', () => {
    const next = addMillis(instant, 1);

    expect([earlier(instant, next), earlier(next, instant)]).toEqual([instant, instant]);
    expect([later(instant, next), later(next, instant)]).toEqual([next, next]);
  });

  it('cuts to the minute', () => {
    expect(floorToMinute(instant)).toBe('2022-11-09T11:25:00.000000Z');
  });
});
