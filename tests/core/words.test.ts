import { describe, expect, it } from 'vitest';
import { duration, minuteOf, number, sliceWords } from '../../src/core/words.js';

describe('what is told to people', () => {
  it.each([
    [0, '0 s'],
    [-5_000, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_999, '59 min'],
    [3_600_000, '1 h'],
    [86_400_000 * 12.9, '12 d'],
  ])('a length of %d ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('a number has commas, a time ends with its minute', () => {
    expect(number(1_234_567)).toBe('1,234,567');
    expect(minuteOf('2026-11-28T08:03:12.345678Z')).toBe('2026-11-28 08:03 UTC');
  });

  it.each([
    [
      'activity:2026-08-05T00:00:00.000000Z/2026-09-04T00:00:00.000000Z',
      '2026-08-05 to 2026-09-04 (activity)',
    ],
    [
      'activity:2026-11-28T08:03:00.000000Z/2026-11-28T08:33:00.000000Z',
      '2026-11-28 08:03 to 08:33 (activity)',
    ],
    [
      'activity:2026-11-28T08:03:00.000000Z/9999-12-31T00:00:00.000000Z',
      '2026-11-28 on (activity)',
    ],
    ['all', 'all'],
  ])('slice %s of things is: things %s', (slice, text) =>
    expect(sliceWords({ stream: 'things', slice })).toBe(`things ${text}`),
  );

  it('a list is read whole, whatever its dates', () =>
    expect(sliceWords({ stream: 'users', slice: 'list:2025-11-28T00:00:00.000000Z/2026' })).toBe(
      'users, the whole list',
    ));
});
