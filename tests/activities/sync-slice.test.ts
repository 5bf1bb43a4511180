import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginRun } from '../../src/activities/runs.js';
import { syncSlices } from '../../src/activities/sync-slice.js';
import type { RunInput, SliceRef, SlicesProgress } from '../../src/contract.js';
import type { Lane } from '../../src/core/ports.js';
import { openReplica, SCHEMA, type Replica } from './replica.js';

const LISTS = ['users', 'roles', 'pipelines', 'outcomes'];
const RUN: RunInput = {
  ...{ schema: SCHEMA, job: 'initial', run: 'run/1', kind: 'initial' },
  ...{ streams: null, from: null, to: null },
};

let replica: Replica;
let slices: readonly SliceRef[];

beforeEach(async () => {
  replica = await openReplica({ seed: 'slices', streams: LISTS });
  ({ slices } = await beginRun(RUN, replica.deps));
});

afterEach(async () => {
  await replica.close();
});

async function sync(attempt = 1, deps = replica.deps): Promise<SlicesProgress> {
  const environment = new MockActivityEnvironment({ attempt });
  return environment.run<[], SlicesProgress, () => Promise<SlicesProgress>>(() =>
    syncSlices(slices, deps),
  );
}

async function failureOf(work: Promise<unknown>): Promise<ApplicationFailure> {
  return work.then(
    () => expect.fail('it did not fail'),
    (error: ApplicationFailure) => error,
  );
}

it('one activity takes as many streams as there are', async () => {
  const { done, streams } = await sync();
  expect(done).toEqual(slices.map((_slice, index) => index));
  expect(streams.map(({ stream }) => stream).toSorted()).toEqual(LISTS.toSorted());
});

it.each([
  ['initial', 'history'],
  ['backfill/h1', 'history'],
  ['live', 'live'],
])('slices of the job %s are read in the lane of %s', async (job, lane) => {
  ({ slices } = await beginRun({ ...RUN, job }, replica.deps));
  const lanes = new Set<Lane>();
  await sync(1, {
    ...replica.deps,
    provenSourceOf: (schema, asked, signal) => {
      lanes.add(asked);
      return replica.deps.provenSourceOf(schema, asked, signal);
    },
  });
  expect([...lanes]).toEqual([lane]);
});

describe('a stream that Close answers with errors', () => {
  const [first = ''] = LISTS;
  const isBroken = ({ stream }: SliceRef): boolean => stream === first;

  beforeEach(() => replica.sandbox.setFaults(['broken=/user/']));

  it('fails its activity when it is all that there is to do, and is named', async () => {
    slices = slices.filter(isBroken);
    const { type, details, nonRetryable } = await failureOf(sync(3));
    expect({ type, details, nonRetryable }).toEqual({
      ...{ type: 'CLOSE_UNAVAILABLE', details: [first], nonRetryable: false },
    });
  });

  it('is parked when it failed long enough, with what is to be done', async () => {
    slices = slices.filter(isBroken);
    const { done, parked } = await sync(4);
    expect(done).toEqual([]);
    expect(parked?.stream).toBe(first);
    expect(parked?.message).toMatch(
      /^Close did not answer \/user\/: .+ look at status\.close\.com/,
    );
  });

  it('is not parked while Close answers nothing at all', async () => {
    replica.sandbox.setFaults(['broken=/']);
    expect((await failureOf(sync(9))).type).toBe('CLOSE_UNAVAILABLE');
  });

  it('leaves the others to be read', async () => {
    slices = [...slices.filter((ref) => !isBroken(ref)), ...slices.filter(isBroken)];
    const { done, parked } = await sync(1);
    expect([done.map((index) => slices[index]?.stream), parked]).toEqual([LISTS.slice(1), null]);
  });
});
