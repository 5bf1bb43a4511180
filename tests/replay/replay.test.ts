import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { WORKFLOW_TYPES } from '../../src/contract.js';
import { createLog, installRuntime } from '../../src/log.js';
import { ROOT } from '../architecture-facts.js';
import { bundleChanged } from '../support/changed-workflows.js';
import { bundleWorkflows } from '../support/scripted-worker.js';

/**
 * What runs somewhere was begun by a release. The next one must be able to go on with it: each
 * recorded history is replayed with the present workflow code, step by step.
 */
const FOLDER = join(ROOT, 'tests/histories');

/** Each that a deploy may find; `scripts/situations.js` says how it comes about. */
const SITUATIONS = [
  ...['initial sync', 'incremental sync', 'sync that stands alone', 'wrong input', 'cancelled'],
  ...['paused', 'paused and resumed', 'blocked', 'blocked and freed', 'stream parked'],
  ...['backfill queued', 'backfill done', 'continued as new', 'rebuild', 'reconcile'],
];

interface Recorded {
  readonly file: string;
  readonly commit: string;
  readonly situation: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  readonly history: object;
}

const recorded: readonly Recorded[] = readdirSync(FOLDER)
  .sort()
  .map((file) => ({
    file,
    ...(JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Omit<Recorded, 'file'>),
  }));

/** What a person must know who changed a workflow; empty when all goes on. */
async function risks(
  workflowBundle: WorkflowBundleWithSourceMap,
  histories: readonly Recorded[],
): Promise<readonly string[]> {
  const given = histories.map(({ workflowId, history }) => ({
    ...{ workflowId, history: historyFromJSON(history) },
  }));
  const found: string[] = [];
  let count = 0;
  for await (const { runId, error } of Worker.runReplayHistories(
    { workflowBundle, replayName: 'recorded' },
    given,
  )) {
    count += 1;
    if (error === undefined) continue;
    const { file, situation, commit, type } = histories.find((each) => each.runId === runId) ?? {};
    found.push(
      [
        `${file}: this code cannot go on with a ${type} in the situation "${situation}" that release ${commit} has begun.`,
        'Deployed, each connection in it would stand still, its workflow task failing again and again, until the old worker is back.',
        "Keep the old way for what runs already: if (patched('what-is-new')) { the new way } else { the old way }.",
        'Do not record the histories anew to make this green; that is for the day after a release (npm run record-histories).',
        error.message,
      ].join('\n'),
    );
  }
  expect(count).toBe(histories.length);
  return found;
}

let present: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  installRuntime(createLog('silent'), undefined);
  present = await bundleWorkflows();
});

describe('the recorded histories', () => {
  it('are there for every situation, from one release', () => {
    expect([...new Set(recorded.map(({ situation }) => situation))].sort()).toEqual(
      expect.arrayContaining([...SITUATIONS].sort()),
    );
    expect(new Set(recorded.map(({ commit }) => commit)).size).toBe(1);
    expect(new Set(recorded.map(({ type }) => type))).toEqual(
      new Set(Object.values(WORKFLOW_TYPES)),
    );
  });

  it('tell nothing of the machine on which they were recorded', () => {
    const texts = recorded.map(({ history }) => decoded(history));

    expect(texts.join('\n')).not.toMatch(/"identity"|"stackTrace"|\/(?:home|root|tmp|Users)\//);
  });

  it('go on with the present workflows, in every situation', async () => {
    const found = await risks(present, recorded);

    expect(found.join('\n\n')).toBe('');
  });
});

/** As JSON, with each payload beside it as text. */
function decoded(history: object): string {
  const json = JSON.stringify(history);
  const payloads = [...json.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)];
  return [json, ...payloads.map(([, data = '']) => Buffer.from(data, 'base64').toString())].join();
}

describe('a changed workflow', () => {
  const opening = '        const { name, layout, startDate } = state.connection;';
  const sleep = "await condition(() => false, '1s');";

  it('fails, and says what would stand still and what to do', async () => {
    const changed = await bundleChanged([
      { file: 'entity.ts', find: opening, replace: `${sleep}\n${opening}` },
    ]);

    const found = await risks(changed, recorded);

    const connections = recorded.filter(
      ({ type, situation }) => type === WORKFLOW_TYPES.connection && situation !== 'wrong input',
    );
    expect(found).toHaveLength(connections.length);
    expect(found.join('\n')).toMatch(/situation "paused" that release [0-9a-f]{40} has begun/);
    expect(found.join('\n')).toMatch(/stand still.*patched\('what-is-new'\)/s);
  });

  it('goes on when the change is for new runs only', async () => {
    const changed = await bundleChanged([
      {
        file: 'entity.ts',
        find: opening,
        replace: `if (patched('test-change')) ${sleep}\n${opening}`,
      },
      { file: 'entity.ts', find: '  log,\n', replace: '  log,\n  patched,\n' },
    ]);

    expect(await risks(changed, recorded)).toEqual([]);
  });
});
