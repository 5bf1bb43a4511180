import { inspect } from 'node:util';
import { expect } from 'vitest';
import type { RateBudget } from '../../src/core/ports.js';
import {
  createCloseClient,
  type CloseClient,
  type CloseClientOptions,
} from '../../src/close/client.js';
import { createMemoryBudget } from '../../src/close/memory-budget.js';
import { ClosehaulError, type ErrorCode } from '../../src/errors.js';

/** Planted in key, query and bodies; must be in nothing that is thrown. */
export const CANARY_KEY = 'api_CANARYKEYCANARYKEY';
export const CANARY_VALUE = 'canary.customer@example.org';

export const NEVER = new AbortController().signal;

export interface Clock {
  readonly now: () => number;
  readonly sleep: (durationMs: number) => Promise<void>;
  readonly sleptMs: number[];
}

/** Time that passes only when someone sleeps. */
export function createClock(startMs = Date.parse('2026-11-23T12:00:00Z')): Clock {
  let nowMs = startMs;
  const sleptMs: number[] = [];
  return {
    now: () => nowMs,
    sleep: (durationMs) => {
      sleptMs.push(durationMs);
      nowMs += durationMs;
      return Promise.resolve();
    },
    sleptMs,
  };
}

export interface BudgetCalls {
  readonly budget: RateBudget;
  readonly calls: string[];
}

/** A memory budget that writes down who called it. */
export function spyBudget(clock: Clock): BudgetCalls {
  const inner = createMemoryBudget({ now: clock.now });
  const calls: string[] = [];
  const budget: RateBudget = {
    take: (group, lane) => {
      calls.push(`take ${group}`);
      return inner.take(group, lane);
    },
    learn: (group, limit, permit, tripMs) => {
      calls.push(`learn ${group} ${JSON.stringify(limit)}`);
      return inner.learn(group, limit, permit, tripMs);
    },
    block: (group, durationMs) => {
      calls.push(`block ${group} ${durationMs}`);
      return inner.block(group, durationMs);
    },
  };
  return { budget, calls };
}

export function createTestClient(
  baseUrl: string,
  options: Partial<CloseClientOptions> & { readonly clock?: Clock } = {},
): CloseClient {
  const { clock = createClock(), ...rest } = options;
  return createCloseClient({
    connection: 'Test Closeio',
    keyVariable: 'CLOSE_API_KEY',
    apiKey: CANARY_KEY,
    baseUrl,
    version: '0.0.0-test',
    budget: createMemoryBudget({ now: clock.now }),
    now: clock.now,
    sleep: clock.sleep,
    timeoutMs: 5_000,
    ...rest,
  });
}

/** The ClosehaulError that `work` throws, searched for secrets in every form it can be printed in. */
export async function thrownBy(work: () => Promise<unknown>): Promise<ClosehaulError> {
  const error: unknown = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClosehaulError);
  const known = error as ClosehaulError;
  expectNoSecrets(known);
  expect(`${known.message} ${known.next}`).not.toMatch(/\{\w+\}/);
  return known;
}

export async function codeThrownBy(work: () => Promise<unknown>): Promise<ErrorCode> {
  return (await thrownBy(work)).code;
}

export function expectNoSecrets(error: Error): void {
  const forms = [
    String(error),
    JSON.stringify(error),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
    inspect(error, { depth: 20, showHidden: true, getters: true }),
    inspect(error.cause, { depth: 20, showHidden: true }),
    error.stack ?? '',
  ];
  const basic = Buffer.from(`${CANARY_KEY}:`).toString('base64');
  for (const form of forms) {
    for (const secret of [CANARY_KEY, basic, CANARY_VALUE, encodeURIComponent(CANARY_VALUE)]) {
      expect(form.includes(secret), `a secret in ${form.slice(0, 80)}`).toBe(false);
    }
  }
}
