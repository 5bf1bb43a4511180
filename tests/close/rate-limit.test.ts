import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RateBudget } from '../../src/core/ports.js';
import { createMemoryBudget } from '../../src/close/memory-budget.js';
import {
  endpointGroup,
  readRateLimit,
  readRetryAfterMs,
  RETRY_AFTER_MS_MAX,
} from '../../src/close/rate-limit.js';

const reader = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name];
const NOW_MS = Date.parse('2026-11-23T12:00:00Z');

describe('readRateLimit', () => {
  test.each([
    [
      { ratelimit: 'limit=100, remaining=50, reset=5' },
      { limit: 100, remaining: 50, resetMs: 5_000 },
    ],
    [{ ratelimit: 'limit=100,remaining=0,reset=0.25' }, { limit: 100, remaining: 0, resetMs: 250 }],
    [{ ratelimit: '"default";r=50;t=5' }, { limit: 50, remaining: 50, resetMs: 5_000 }],
    [
      { ratelimit: '"default";r=50;t=5', 'ratelimit-policy': '"default";q=100;w=60' },
      { limit: 100, remaining: 50, resetMs: 5_000 },
    ],
    [
      { ratelimit: '"a";r=50;t=5, "b";r=3;t=60', 'ratelimit-policy': '"a";q=100, "b";q=9' },
      { limit: 9, remaining: 3, resetMs: 60_000 },
    ],
    [
      { 'ratelimit-limit': '60, 60;w=1', 'ratelimit-remaining': '59', 'ratelimit-reset': '1' },
      { limit: 60, remaining: 59, resetMs: 1_000 },
    ],
    [
      {
        'x-rate-limit-limit': '320',
        'x-rate-limit-remaining': '0',
        'x-rate-limit-reset': '0.595956',
      },
      { limit: 320, remaining: 0, resetMs: 596 },
    ],
    [
      {
        ratelimit: 'garbage',
        'x-rate-limit-limit': '240',
        'x-rate-limit-remaining': '7',
        'x-rate-limit-reset': '7.218390',
      },
      { limit: 240, remaining: 7, resetMs: 7_219 },
    ],
  ])('reads %j', (headers, expected) => {
    expect(readRateLimit(reader(headers as Record<string, string>))).toEqual(expected);
  });

  test.each([
    {},
    { ratelimit: 'limit=100, remaining=-1, reset=5' },
    { ratelimit: 'limit=100, remaining=50' },
    { ratelimit: 'limit=100, remaining=50, reset=1000000000' },
    { ratelimit: 'limit="100", remaining=?1, reset=:x:' },
    { 'ratelimit-limit': 'many', 'ratelimit-remaining': '1', 'ratelimit-reset': '1' },
  ])('ignores %j', (headers) => {
    expect(readRateLimit(reader(headers as Record<string, string>))).toBeUndefined();
  });

  test('never throws and never gives a number out of range', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, other) => {
        const headers = { ratelimit: value, 'ratelimit-policy': other, 'retry-after': other };
        const limit = readRateLimit(reader(headers));
        if (limit)
          expect(Math.min(limit.limit, limit.remaining, limit.resetMs)).toBeGreaterThanOrEqual(0);
        const waitMs = readRetryAfterMs(reader(headers), NOW_MS);
        if (waitMs !== undefined) expect(waitMs > 0 && waitMs <= RETRY_AFTER_MS_MAX).toBe(true);
      }),
    );
  });
});

describe('readRetryAfterMs', () => {
  test.each([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, undefined],
    [{ 'retry-after': '1000000000' }, RETRY_AFTER_MS_MAX],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': '0' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '2026-11-23' }, undefined],
    [{ ratelimit: 'limit=100, remaining=0, reset=7', 'retry-after': '2' }, 7_000],
    [{ ratelimit: 'limit=100, remaining=50, reset=1', 'retry-after': '9' }, 9_000],
    [{}, undefined],
  ])('%j → %s ms', (headers, expected) => {
    expect(readRetryAfterMs(reader(headers as Record<string, string>), NOW_MS)).toBe(expected);
  });
});

describe('endpointGroup', () => {
  test.each([
    ['/lead/', 'GET /lead/'],
    ['/lead/lead_p7HyQ3vJt0pnO8kPqDmv8uHMeGOjUwEJOuYwvwvvvVv/', 'GET /lead/:id/'],
    ['/activity/task_completed/', 'GET /activity/task_completed/'],
    ['/event/ev_6jdh3kd93kdnJH38djKd92/', 'GET /event/:id/'],
  ])('%s → %s', (path, expected) => expect(endpointGroup('GET', path)).toBe(expected));
});

describe('createMemoryBudget', () => {
  const waitOf = async (budget: RateBudget, group: string): Promise<number> =>
    (await budget.take(group, 'live')).waitMs;

  test('counts down, waits for the reset, starts anew', async () => {
    let nowMs = NOW_MS;
    const budget = createMemoryBudget({ now: () => nowMs });
    expect(await waitOf(budget, 'g')).toBe(0);
    await budget.learn('g', { limit: 10, remaining: 2, resetMs: 5_000 }, null, 0);
    expect([await waitOf(budget, 'g'), await waitOf(budget, 'g')]).toEqual([0, 0]);
    expect(await waitOf(budget, 'g')).toBe(5_000);
    expect(await waitOf(budget, 'other')).toBe(0);
    nowMs += 2_000;
    expect(await waitOf(budget, 'g')).toBe(3_000);
    nowMs += 3_000;
    expect(await waitOf(budget, 'g')).toBe(0);
  });

  test('an answer that comes late does not raise the count', async () => {
    const budget = createMemoryBudget({ now: () => NOW_MS });
    await budget.learn('g', { limit: 10, remaining: 0, resetMs: 5_000 }, null, 0);
    await budget.learn('g', { limit: 10, remaining: 9, resetMs: 5_000 }, null, 0);
    expect(await waitOf(budget, 'g')).toBe(5_000);
  });

  test('a block holds everybody, and a shorter one does not end it', async () => {
    let nowMs = NOW_MS;
    const budget = createMemoryBudget({ now: () => nowMs });
    await budget.block('g', 4_000);
    await budget.block('g', 1_000);
    expect(await waitOf(budget, 'g')).toBe(4_000);
    nowMs += 4_000;
    expect(await waitOf(budget, 'g')).toBe(0);
  });
});
