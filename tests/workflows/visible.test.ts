import type { Client, WorkflowHandle } from '@temporalio/client';
import type { TypedSearchAttributes } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  readSearchAttributes,
  registerAttributes,
} from '../../src/activities/search-attributes.js';
import type { Activities } from '../../src/activities/index.js';
import { SEARCH_ATTRIBUTES, SIGNALS } from '../../src/contract.js';
import { ClosehaulError } from '../../src/errors.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import { ScriptedActivities } from '../support/scripted-activities.js';
import { bundleWorkflows, scriptedWorker } from '../support/scripted-worker.js';
import { testClient, testNamespace, until } from '../support/stack.js';

/**
 * What Temporal shows of a connection, asked of a real server. What Close and the database answer is
 * played, so that nothing takes long; what may be searched by is asked of the server as ever.
 */
let client: Client;
let handle: WorkflowHandle;
let workflows: WorkflowBundleWithSourceMap;
let stop: () => Promise<void>;

beforeAll(async () => {
  client = await testClient();
  workflows = await bundleWorkflows();
});

afterAll(async () => client?.connection.close());

afterEach(async () => {
  await handle?.terminate().catch(() => undefined);
  await stop?.();
});

async function begin(name: string, script: Partial<Activities> = {}): Promise<void> {
  const scripted = new ScriptedActivities({ readSearchAttributes, ...script });
  const server = { address: inject('temporalAddress'), namespace: testNamespace() };
  ({ stop } = await scriptedWorker(server, workflows, scripted));
  handle = await startConnection(client, { name, workflowId: `visible-${name}` });
}

interface Metadata {
  readonly currentDetails: string;
  readonly definition: Readonly<
    Record<
      'queryDefinitions' | 'signalDefinitions' | 'updateDefinitions',
      readonly { readonly name: string; readonly description?: string }[]
    >
  >;
}

function metadata(): Promise<Metadata> {
  return handle.query<Metadata>('__temporal_workflow_metadata');
}

/** Without those that the server sets itself. */
function ours(attributes: TypedSearchAttributes): Readonly<Record<string, unknown>> {
  const pairs = attributes.getAll().map(({ key, value }) => [key.name, value] as const);
  return Object.fromEntries(pairs.filter(([name]) => name in SEARCH_ATTRIBUTES));
}

/** The search attributes of the connection in the list of workflows, once they are as they should be. */
async function untilListed(query: string): Promise<Readonly<Record<string, unknown>>> {
  return until(`listed by ${query}`, async () => {
    for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query })) {
      if (workflowId !== handle.workflowId) continue;
      return ours(typedSearchAttributes);
    }
    return undefined;
  });
}

function refuse(): never {
  throw new ClosehaulError('CLOSE_KEY_REJECTED', {
    ...{ connection: 'never_open', status: '401', variable: 'CLOSE_API_KEY' },
  });
}

async function historyOf(workflow: WorkflowHandle): Promise<string> {
  return historyToJSON(await workflow.fetchHistory());
}

/** As a client in another language, or one that is broken, may send it. */
async function signalRaw(signalName: string, encoding: string, data: string): Promise<void> {
  const { namespace } = client.options;
  const { workflowId } = handle;
  const payload = { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) };
  await client.workflowService.signalWorkflowExecution({
    ...{ namespace, signalName, workflowExecution: { workflowId } },
    input: { payloads: [payload] },
  });
}

const countOf = (text: string, event: string): number => text.split(event).length - 1;

describe('a connection on a server that does not know its search attributes', () => {
  it('sets none, and all its signals, updates and queries say what they are for', async () => {
    await begin('Unknown Attributes');
    await untilStatus(handle, 'up to date', isSettled);

    const { currentDetails, definition } = await metadata();
    expect(currentDetails).toMatch(/^\*\*Up to date\*\*, complete up to 20/);
    expect(currentDetails).toContain('| leads | 100 | │ 01-01 00:00 |');
    const { queryDefinitions, signalDefinitions, updateDefinitions } = definition;
    const described = [...queryDefinitions, ...signalDefinitions, ...updateDefinitions].filter(
      ({ name }) => !name.startsWith('__'),
    );
    expect(described.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['status', 'progress', 'requestBackfill', ...Object.values(SIGNALS)]),
    );
    expect(described.filter(({ description = '' }) => description.length < 20)).toEqual([]);
    const history = await historyOf(handle);
    expect(countOf(history, 'EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES')).toBe(0);
  });

  it('gives each activity, timer and sync a line that says what it is for', async () => {
    await begin('Summaries');
    await untilStatus(handle, 'up to date', isSettled);

    const child = client.workflow.getHandle(`${handle.workflowId}/initial`);
    const histories = [await handle.fetchHistory(), await child.fetchHistory()];
    const events = histories.flatMap(({ events: each }) => each ?? []);
    const toTell = events.filter(
      (event) =>
        event.activityTaskScheduledEventAttributes ??
        event.timerStartedEventAttributes ??
        event.startChildWorkflowExecutionInitiatedEventAttributes,
    );
    const told = toTell.map(({ userMetadata }) =>
      Buffer.from(userMetadata?.summary?.data ?? []).toString(),
    );
    expect(told).toEqual(
      expect.arrayContaining([
        '"prove the key, make the schema"',
        '"leads all, then 1 more"',
        '"next sync"',
        '"initial sync of Summaries from 2026-01-01"',
      ]),
    );
    expect(told).not.toContain('');
    const { memo } = await handle.describe();
    expect(memo).toEqual({
      connection: 'Summaries',
      schema: 'summaries',
      streams: ['leads', 'activities'],
    });
  });
});

describe('a connection on a server that knows its search attributes', () => {
  beforeAll(async () => {
    const made = await registerAttributes(client.connection, testNamespace());
    expect(made).toEqual(Object.keys(SEARCH_ATTRIBUTES));
    // A second time there is nothing to do, and nothing is wrong.
    expect(await registerAttributes(client.connection, testNamespace())).toEqual([]);
  });

  it('is found by its name, its state and the time up to which it is complete', async () => {
    await begin('Searched');
    const { syncedThrough } = await untilStatus(handle, 'up to date', isSettled);

    const listed = await untilListed(
      'CloseState="Up to date" AND CloseSyncedThrough > "2026-01-02T00:00:00Z"',
    );
    expect(listed).toEqual({
      CloseConnection: 'Searched',
      CloseState: 'Up to date',
      CloseSyncedThrough: new Date(syncedThrough ?? 0),
    });
    await handle.signal(SIGNALS.pause);
    expect(await untilListed('CloseState="Paused"')).toMatchObject({ CloseConnection: 'Searched' });
  });

  it('sets them only when they change: once in a sync', async () => {
    await begin('Seldom');
    const before = await untilStatus(handle, 'up to date', isSettled);
    const upserts = async (): Promise<number> =>
      countOf(await historyOf(handle), 'EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    const atFirst = await upserts();
    for (let syncs = 1; syncs <= 3; syncs += 1) {
      await handle.signal(SIGNALS.syncNow);
      const wanted = before.syncsCompleted + syncs;
      await untilStatus(handle, 'synced', (status) => status.syncsCompleted >= wanted);
    }

    expect((await upserts()) - atFirst).toBe(3);
  });

  it('asks the server again when it is resumed', async () => {
    let isKnown = false;
    await begin('Asked Again', {
      readSearchAttributes: async () => (isKnown ? readSearchAttributes() : []),
    });
    await untilStatus(handle, 'up to date', isSettled);
    expect(ours((await handle.describe()).typedSearchAttributes)).toEqual({});
    isKnown = true;
    await handle.signal(SIGNALS.resume);

    await untilListed('CloseConnection="Asked Again" AND CloseState="Up to date"');
  });

  it('says that it is blocked, also when it was never open', async () => {
    await begin('Never Open', { openConnection: async () => Promise.resolve(refuse()) });

    await untilListed('CloseConnection="Never Open" AND CloseState="Blocked"');
    const { currentDetails } = await metadata();
    expect(currentDetails).toMatch(/^\*\*Blocked\*\*\n\n> Close rejected the API key .*resume/);
  });
});

describe('a signal that nobody can read', () => {
  it.each([
    ['broken JSON', 'json/plain', '{"from":'],
    ['a message of another language', 'json/protobuf', '{}'],
    ['an encoding of its own', 'binary/secret', 'x'],
  ])('is recorded, and the connection goes on: %s', async (_what, encoding, data) => {
    await begin('Unreadable');
    await untilStatus(handle, 'up to date', isSettled);
    await signalRaw(SIGNALS.backfill, encoding, data);
    const { rejectedRequests, status } = await untilStatus(
      handle,
      'recorded',
      ({ requests }) => requests.rejected === 1,
    );
    expect([rejectedRequests.map(({ request }) => request), status]).toEqual([
      ['backfill'],
      'Up to date',
    ]);
  });
});
