import { afterEach, beforeEach, expect, it } from 'vitest';
import { labelCustomFields } from '../../src/activities/custom-fields.js';
import type { ActivityDeps } from '../../src/activities/deps.js';
import type { JsonRecord } from '../../src/core/record.js';
import { ask, rows } from '../support/sandbox-client.js';
import { openReplica, SCHEMA, type Replica } from './replica.js';

let replica: Replica;
/** A lead with custom fields, as Close gives it. */
let lead: JsonRecord;

beforeEach(async () => {
  replica = await openReplica({ seed: 'custom fields', streams: ['leads'] });
  const [first] = rows(await ask(replica.sandbox.url, '/lead/', { _limit: 1 }));
  lead = first as JsonRecord;
  replica.requests();
});

afterEach(async () => {
  await replica.close();
});

function label(
  signal = new AbortController().signal,
  deps: ActivityDeps = replica.deps,
): Promise<readonly JsonRecord[]> {
  return labelCustomFields([lead], { schema: SCHEMA, stream: 'leads' }, deps, signal);
}

function definitionReads(): readonly string[] {
  return replica.requests().filter((group) => group.startsWith('GET /custom_field/'));
}

it('of slices that meet a new custom field at one time, one reads the definitions', async () => {
  const [first, ...others] = await Promise.all([label(), label(), label()]);
  expect(Object.keys(first?.[0]?.['custom'] ?? {})).not.toEqual([]);
  for (const other of others) expect(other).toEqual(first);
  const reads = definitionReads();
  expect(reads.length).toBeGreaterThan(0);
  expect(new Set(reads).size).toBe(reads.length);

  await label();
  expect(definitionReads()).toEqual([]);
});

it('a slice that is cancelled meanwhile does not end what the others wait for', async () => {
  const cancelled = new AbortController();
  const outcomes = Promise.allSettled([label(cancelled.signal), label()]);
  cancelled.abort(new Error('cancelled'));
  expect(await outcomes).toMatchObject([
    { status: 'rejected', reason: { message: 'cancelled' } },
    { status: 'fulfilled' },
  ]);
});

it('what could not be read fails all that wait for it, and is read by the next', async () => {
  let isAway = true;
  const source = replica.deps.sourceOf(SCHEMA);
  const deps: ActivityDeps = {
    ...replica.deps,
    sourceOf: () => ({
      ...source,
      customFields: (family, signal) =>
        isAway ? Promise.reject(new Error('Close is away')) : source.customFields(family, signal),
    }),
  };
  const outcomes = await Promise.allSettled([label(undefined, deps), label(undefined, deps)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  expect(await label(undefined, deps)).toHaveLength(1);
});
