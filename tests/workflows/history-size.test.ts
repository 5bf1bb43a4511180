import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { TASK_QUEUE, WORKFLOW_TYPES, type RunInput, type SliceRef } from '../../src/contract.js';
import { parseInstant, type Instant } from '../../src/core/instant.js';
import { historySlices } from '../../src/core/slice.js';
import { sliceId } from '../../src/core/stream.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import { ended, ScriptedActivities, usual } from '../support/scripted-activities.js';
import { bundleWorkflows, scriptedWorker } from '../support/scripted-worker.js';
import { testClient, testNamespace } from '../support/stack.js';

/** What is promised of a million records, for each run of each workflow. */
const EVENTS_MAX = 1_000;
const BYTES_MAX = 1_000_000;
const RECORDS = 1_000_000;

const at = (text: string): Instant => parseInstant(text) as Instant;
/** Half-months of three years, so full that each is an activity of its own: the most that there are. */
const SLICES = CLOSE_STREAMS.flatMap((stream) =>
  historySlices(stream, { from: at('2023-11-23'), to: at('2026-11-23') }, true),
);
const STREAMS = CLOSE_STREAMS.map(({ name }) => name);

let client: Client;
let worker: Awaited<ReturnType<typeof scriptedWorker>> | undefined;

/** An account of a million records: the plan is the real one, and what its slices hold is played. */
class Account {
  /** The open slices of each job, as the database would know them. */
  private readonly open = new Map<string, readonly SliceRef[]>();

  readonly activities = new ScriptedActivities({
    openConnection: async (input) => ({
      ...(await usual.openConnection(input)),
      ...{ streams: STREAMS, knownStreams: STREAMS },
    }),
    beginRun: ({ schema, job, kind }: RunInput) => {
      const key = `${schema}/${job}`;
      const planned = kind === 'incremental' ? [] : SLICES;
      const refs = planned.map((slice) => ({
        ...{ schema, job, stream: slice.stream, slice: sliceId(slice) },
      }));
      const slices = this.open.get(key) ?? refs;
      this.open.set(key, slices);
      return Promise.resolve({ slices });
    },
    syncSlices: ([ref]) => {
      const { schema = '', job = '', stream = '', slice } = ref ?? {};
      const key = `${schema}/${job}`;
      const left = this.open.get(key) ?? [];
      this.open.set(
        key,
        left.filter((other) => other.stream !== stream || other.slice !== slice),
      );
      const records = Math.ceil(RECORDS / SLICES.length);
      const counts = { pages: Math.ceil(records / 100), records, inserted: records };
      const progress = { stream, ...counts, rows: 5 * records, rejected: 0 };
      return Promise.resolve({ done: [0], streams: [progress], parked: null });
    },
    endRun: (input) => ended({ ...input, streams: STREAMS }, 'complete'),
  });
}

beforeAll(async () => {
  client = await testClient();
  const server = { address: inject('temporalAddress'), namespace: testNamespace() };
  worker = await scriptedWorker(server, await bundleWorkflows(), new Account().activities);
});

afterAll(async () => {
  await worker?.stop();
  await client?.connection.close();
});

interface Size {
  readonly type: string;
  readonly events: number;
  readonly bytes: number;
}

/** Of each run of each workflow whose id begins so. */
async function sizes(prefix: string): Promise<readonly Size[]> {
  const found: Size[] = [];
  const query = `WorkflowId STARTS_WITH "${prefix}"`;
  for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    const { historyLength, historySizeBytes } = raw.workflowExecutionInfo ?? {};
    found.push({ type, events: Number(historyLength), bytes: Number(historySizeBytes) });
  }
  console.log(`A million records: ${JSON.stringify(found)}`);
  return found;
}

describe('a million records', { timeout: 180_000 }, () => {
  it.concurrent('make short histories of a connection and of its syncs', async ({ expect }) => {
    const handle = await startConnection(client, { name: 'Million', streams: STREAMS });
    await untilStatus(handle, 'up to date', isSettled, 170_000);

    const found = await sizes(handle.workflowId);
    expect(found.filter(({ events }) => events > EVENTS_MAX)).toEqual([]);
    expect(found.filter(({ bytes }) => bytes > BYTES_MAX)).toEqual([]);
    // One sync after the other, of one job.
    expect(found.filter(({ type }) => type === 'historicalSync').length).toBeGreaterThan(1);
    await handle.terminate();
  });

  it.concurrent(
    'make short histories of a sync that stands alone: it goes on by itself',
    async ({ expect }) => {
      const handle = await client.workflow.start(WORKFLOW_TYPES.historical, {
        ...{ workflowId: 'alone', taskQueue: TASK_QUEUE, args: ['Alone'] },
      });

      expect(await handle.result()).toMatchObject({ outcome: 'complete' });
      const found = await sizes('alone');
      expect(found.filter(({ events }) => events > EVENTS_MAX)).toEqual([]);
      expect(found.length).toBeGreaterThan(1);
    },
  );
});
