import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Activities } from '../../src/activities/index.js';
import type { ConnectionInput, StatusAnswer } from '../../src/contract.js';
import { staggerOf } from '../../src/core/schedule.js';
import { ClosehaulError } from '../../src/errors.js';
import { startConnection, statusOf } from '../support/e2e-connection.js';
import { ended, ScriptedActivities, usual } from '../support/scripted-activities.js';
import {
  startTimeSkipping,
  timeSkippingWorker,
  timeSkippingWorkflows,
} from '../support/time-skipping.js';

/**
 * What takes hours and weeks, on a server whose clock jumps. The workflows are the real ones; what
 * they call is played. Distances are in whole minutes: the work itself needs less than one.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let environment: TestWorkflowEnvironment;
let workflows: WorkflowBundleWithSourceMap;
let handle: WorkflowHandle;
let scripted: ScriptedActivities;
let stop: (() => Promise<void>) | undefined;

beforeAll(async () => {
  environment = await startTimeSkipping();
  workflows = await timeSkippingWorkflows();
}, 300_000);

afterEach(async () => {
  // With its children: the clock does not jump while anything of a former test is still to be done.
  await handle.cancel();
  await handle.result().catch(() => undefined);
  await stop?.();
});

afterAll(async () => {
  await environment?.teardown();
});

async function begin(input: ConnectionInput, script: Partial<Activities> = {}): Promise<void> {
  scripted = new ScriptedActivities(script);
  ({ stop } = await timeSkippingWorker(environment, workflows, scripted));
  handle = await startConnection(environment.client, input);
}

function gapsMinutes(timesMs: readonly number[]): readonly number[] {
  return timesMs.slice(1).map((ms, index) => Math.round((ms - (timesMs[index] ?? 0)) / MINUTE_MS));
}

/** Fails the first attempt of an activity, which is then tried again after this time. */
function waitFirst(time: string): void {
  if (Context.current().info.attempt > 1) return;
  throw ApplicationFailure.create({ message: 'not yet', nextRetryDelay: time as '1 day' });
}

/** Lets time pass on the server's clock; then asks how things stand. */
async function pass(time: string): Promise<StatusAnswer> {
  await environment.sleep(time);
  return statusOf(handle);
}

describe('incremental syncs', () => {
  it('begin six hours after the one before began, however long that one took', async () => {
    await begin(
      { name: 'Six Hours', every: '6h' },
      {
        endRun: (input) => {
          if (input.kind === 'incremental') waitFirst('2 hours');
          return ended(input, 'complete');
        },
      },
    );
    const { slotsSkipped } = await pass('3 days');

    const gaps = gapsMinutes(scripted.startsOf('incremental'));
    expect(gaps.length).toBeGreaterThanOrEqual(10);
    // The second moves to the connection's own second of the minute; from there on all are alike.
    expect(Math.abs((gaps[0] ?? 0) - 360)).toBeLessThanOrEqual(1);
    expect(gaps.slice(1)).toEqual(gaps.slice(1).map(() => 360));
    expect(slotsSkipped).toBe(0);
  });

  it('skip the slots that come up while one runs, and count them', async () => {
    let syncs = 0;
    await begin(
      { name: 'Long Sync', every: '30m' },
      {
        beginRun: (input) => {
          if (input.kind === 'incremental') syncs += 1;
          return usual.beginRun(input);
        },
        endRun: (input) => {
          // Stitch's example, at the third: from 13:00 to 13:42 means that 13:30 is skipped.
          if (syncs === 3) waitFirst('42 minutes');
          if (syncs === 5) waitFirst('95 minutes');
          return ended(input, 'complete');
        },
      },
    );
    const { slotsSkipped } = await pass('8 hours');

    const gaps = gapsMinutes(scripted.startsOf('incremental'));
    expect(gaps.slice(1, 7)).toEqual([30, 60, 30, 120, 30, 30]);
    expect(slotsSkipped).toBe(1 + 3);
  });

  it('keep to their anchor, in the second that is their own', async () => {
    await begin({ name: 'Anchored', every: '6h', anchor: '02:00' });
    const { nextSyncAt } = await pass('3 days');

    const { offsetMs } = staggerOf({ everyMs: 6 * HOUR_MS, staggerBy: 'anchored' });
    const starts = scripted.startsOf('incremental').slice(1);
    expect(starts.length).toBeGreaterThanOrEqual(11);
    for (const ms of starts) {
      expect((ms - offsetMs - 2 * HOUR_MS) % (6 * HOUR_MS)).toBeLessThan(MINUTE_MS);
    }
    const slot = new Date(offsetMs).toISOString().slice(14, 19);
    expect(nextSyncAt).toMatch(new RegExp(`T(02|08|14|20):${slot}\\.000000Z$`));
  });

  it('go on for thirty days in fresh runs, without one too few or too many', async () => {
    await begin({ name: 'Month', every: '6h' });
    const { syncsCompleted, slotsSkipped } = await pass('30 days');

    const starts = scripted.startsOf('incremental');
    const gaps = gapsMinutes(starts).slice(1);
    // A sync that a fresh run interrupts begins again in the same slot.
    const again = gaps.filter((gap) => gap === 0).length;
    expect(gaps.filter((gap) => gap !== 360 && gap !== 0)).toEqual([]);
    expect(syncsCompleted).toBeGreaterThanOrEqual(30 * 4);
    expect(syncsCompleted).toBe(starts.length - again);
    expect(slotsSkipped).toBe(0);
    // Opened once in each run of the workflow, and no history grew long.
    const runs = scripted.timesOf('openConnection').length;
    expect(runs).toBeGreaterThanOrEqual(4);
    expect(again).toBeLessThan(runs);
    expect((await handle.describe()).historyLength).toBeLessThan(500);
    expect(scripted.startsOf('initial')).toHaveLength(1);
  });
});

describe('a key that Close refuses', () => {
  it('is tried once an hour, and found good again by that', async () => {
    let isRefused = false;
    const refuse = (): never => {
      throw new ClosehaulError('CLOSE_KEY_REJECTED', {
        ...{ connection: 'probed', status: '401', variable: 'CLOSE_API_KEY' },
      });
    };
    await begin(
      { name: 'Probed', every: '30m' },
      {
        openConnection: async (input) => (isRefused ? refuse() : usual.openConnection(input)),
        syncSlices: async (refs) => (isRefused ? refuse() : usual.syncSlices(refs)),
      },
    );
    await pass('1 hour');
    isRefused = true;
    const before = scripted.calls.length;
    const blocked = await pass('12 hours');
    const asked = scripted.calls.slice(before).map(({ name }) => name);
    const probes = scripted.timesOf('openConnection').slice(1);

    expect(blocked.status).toBe('Blocked');
    expect(blocked.problem).toMatch(/^Close rejected the API key of connection probed/);
    expect(probes.length).toBeGreaterThanOrEqual(11);
    expect(gapsMinutes(probes)).toEqual(probes.slice(1).map(() => 60));
    // One sync that was refused, and after it nothing but the probes.
    expect(asked.filter((name) => name !== 'openConnection')).toEqual(['beginRun', 'syncSlices']);

    isRefused = false;
    const freed = await pass('2 hours');
    expect(freed).toMatchObject({ status: 'Up to date', problem: null });
  });
});

describe('a history in which a stream failed', () => {
  it('is tried again every hour until it is complete, while the syncs go on', async () => {
    let tries = 0;
    await begin(
      { name: 'Parked', every: '30m' },
      {
        endRun: (input) => {
          if (input.kind === 'initial') tries += 1;
          const isGood = input.kind === 'incremental' || tries === 4;
          return ended(input, isGood ? 'complete' : 'incomplete');
        },
      },
    );
    const half = await pass('150 minutes');
    expect(half).toMatchObject({ status: 'Incomplete', historicalSync: 'incomplete' });
    expect(half.problem).toContain('Close did not answer.');
    const done = await pass('3 hours');

    expect(gapsMinutes(scripted.startsOf('initial'))).toEqual([60, 60, 60]);
    expect(done).toMatchObject({ status: 'Up to date', historicalSync: 'done', problem: null });
    expect(scripted.startsOf('incremental').length).toBeGreaterThanOrEqual(10);
  });
});

describe('a stream that fails by itself', () => {
  it('is left alone until the next sync, and the others are read without it', async () => {
    const message = 'Close did not answer /lead/: HTTP 500.';
    await begin(
      { name: 'Parked', every: '6h' },
      {
        syncSlices: async (refs) => {
          const { streams } = await usual.syncSlices(
            refs.filter(({ stream }) => stream !== 'leads'),
          );
          const done = refs.flatMap(({ stream }, index) => (stream === 'leads' ? [] : [index]));
          const isAsked = done.length < refs.length;
          return { done, streams, parked: isAsked ? { stream: 'leads', message } : null };
        },
      },
    );
    await pass('1 day');

    const ends = scripted.calls.filter(({ name }) => name === 'endRun');
    expect(ends.length).toBeGreaterThanOrEqual(4);
    for (const { input } of ends) expect(input).toMatchObject({ problems: { leads: message } });
    const refs = scripted.calls.flatMap(({ name, input }) =>
      name === 'syncSlices' ? [input] : [],
    );
    // Once in each sync: what it was parked for is not tried in the same sync again.
    expect(refs.length).toBe(ends.length);
  });
});

describe('the history of a connection', () => {
  it.each([
    ['30m', '12 hours', 2, 800],
    ['1m', '1 hour', 24, 24_000],
  ])('grows little at a frequency of %s', async (every, time, times, eventsMax) => {
    await begin({ name: `Every ${every}`, every });
    await pass('2 minutes');
    const before = await eventsOf();
    await pass(time);

    const perDay = ((await eventsOf()) - before) * times;
    console.log(`Events of a connection in a day at ${every}: ${perDay}`);
    expect(perDay).toBeLessThan(eventsMax);
  });
});

/** Events of the connection in all its runs so far. */
async function eventsOf(): Promise<number> {
  let events = 0;
  let next: string | null | undefined = (await handle.describe()).runId;
  while (next) {
    const run: WorkflowHandle = environment.client.workflow.getHandle(handle.workflowId, next);
    const history: History = await run.fetchHistory();
    events += history.events?.length ?? 0;
    next = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
  }
  return events;
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
