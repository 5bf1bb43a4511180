import { afterEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/json.js';
import { differences } from './ledger-differences.js';
import { openReplica, type Replica } from './replica.js';

let replica: Replica | undefined;
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

const COUNTED = ['leads', 'opportunities', 'tasks'];
const SIZE = { leads: 60, activities: 300, from: '2026-08-01', startDate: '2026-08-01' };

async function statusOf(one: Replica, stream: string) {
  const [row] = await one.rows(
    'SELECT status, bookmark, problem FROM closehaul.sync_status WHERE stream = $1',
    [stream],
  );
  return row;
}

describe('a stream of which Close counts more than it gives', () => {
  it.each([
    ['total-too-high', /^Close counts 5 more records of \w+ than it gives/],
    ['hidden-rows', /^Close counts \d+ more records of \w+ than it gives/],
  ])('%s: its history is not complete, and is once Close mends it', async (fault, message) => {
    replica = await openReplica({ seed: 'counts', streams: [...COUNTED, 'users'], ...SIZE });
    replica.sandbox.setFaults([fault]);
    const { outcome, streams } = await replica.sync('initial');
    expect(outcome).toBe('incomplete');
    for (const name of COUNTED) {
      const stream = streams.find((each) => each.name === name);
      expect(stream, name).toMatchObject({
        isComplete: false,
        error: expect.stringMatching(message) as string,
      });
      expect(await statusOf(replica, name)).toMatchObject({
        status: 'Incomplete',
        problem: expect.stringMatching(message) as string,
      });
    }
    expect(streams.find(({ name }) => name === 'users')).toMatchObject({ error: null });
    replica.sandbox.setFaults([]);
    expect((await replica.sync('initial')).outcome).toBe('complete');
    expect(await differences(replica, COUNTED)).toEqual([]);
  });

  it('its bookmark waits, what is new comes nevertheless, and the sync after reads the rest', async () => {
    replica = await openReplica({ seed: 'counts', streams: ['opportunities'], ...SIZE });
    await replica.sync('initial');
    replica.pass(60_000);
    await replica.sync('incremental');
    const before = await statusOf(replica, 'opportunities');
    const { world } = replica.sandbox;
    const change = (at: number): void => {
      const deals = [...world.opportunities()].slice(at, at + 12);
      for (const { id } of deals) world.updateOpportunity(textOf(id), { confidence: at });
    };
    replica.sandbox.setFaults(['hidden-rows']);
    change(0);
    replica.pass(600_000);
    const first = await replica.sync('incremental');
    expect(first.outcome).toBe('incomplete');
    expect(await statusOf(replica, 'opportunities')).toMatchObject({
      ...{ status: 'Incomplete', bookmark: before?.['bookmark'] },
    });
    change(20);
    replica.pass(600_000);
    expect((await replica.sync('incremental')).outcome).toBe('incomplete');
    const [{ changed } = {}] = await replica.rows(
      `SELECT count(*)::int AS changed FROM ${replica.table('opportunities')} WHERE confidence = 20`,
    );
    expect(changed).toBeGreaterThan(6);
    replica.sandbox.setFaults([]);
    expect((await replica.sync('incremental')).outcome).toBe('complete');
    expect(await statusOf(replica, 'opportunities')).toMatchObject({
      ...{ status: 'Up to date', problem: null },
    });
    expect(await differences(replica, ['opportunities'])).toEqual([]);
  });

  it('a list that is short only once is read once more, and is complete', async () => {
    replica = await openReplica({ seed: 'counts', streams: ['tasks'], ...SIZE });
    replica.sandbox.setFaults(['hidden-rows=1*1:/task/']);
    const { outcome } = await replica.sync('initial');
    expect([outcome, replica.sandbox.stats().faultsByName]).toEqual([
      'complete',
      { 'hidden-rows': 1 },
    ]);
    expect(await differences(replica, ['tasks'])).toEqual([]);
  });

  it('a reconciliation concludes nothing from what such a list leaves out', async () => {
    replica = await openReplica({ seed: 'counts', streams: ['opportunities'], ...SIZE });
    await replica.sync('initial');
    replica.pass(60_000);
    await replica.sync('incremental');
    replica.sandbox.setFaults(['hidden-rows']);
    const { reconciled } = await replica.sync('reconcile');
    expect(reconciled).toMatchObject([
      { stream: 'opportunities', vanished: 0, note: expect.stringContaining('counts') as string },
    ]);
    expect(await differences(replica, ['opportunities'])).toEqual([]);
  });
});
