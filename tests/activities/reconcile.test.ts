import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ReconciledStream } from '../../src/contract.js';
import { textOf } from '../../src/sandbox/json.js';
import { differences } from './ledger-differences.js';
import {
  openReplica,
  openTables,
  type Replica,
  type ReplicaOptions,
  type Tables,
} from './replica.js';

let tables: Tables;
let replica: Replica | undefined;
beforeAll(async () => (tables = await openTables()));
afterAll(async () => tables.close());
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

const DAY_MS = 86_400_000;
const LARGE = ['leads', 'contacts', 'opportunities', 'tasks', 'activities'];
const SMALL = ['groups', 'comments', 'custom_objects', 'users'];

async function opened(options: ReplicaOptions = {}): Promise<Replica> {
  const range = { from: '2026-09-01', startDate: '2026-09-01' };
  replica = await openReplica({ tables, seed: 'reconcile', ...range, ...options });
  await replica.sync('initial');
  return replica;
}

/** The streams in which something differed, with how much of what. */
function found(streams: readonly ReconciledStream[] | undefined): Record<string, number[]> {
  const counted = (streams ?? []).map(
    ({ stream, missing, outdated, vanished, unresolved }): [string, number[]] => [
      stream,
      [missing, outdated, vanished, unresolved],
    ],
  );
  return Object.fromEntries(counted.filter(([, counts]) => counts.some((count) => count !== 0)));
}

/** Does to the tables what nobody told of: [missing, outdated, vanished] in leads, tasks, users. */
async function damage(one: Replica): Promise<Record<string, number[]>> {
  const { world } = one.sandbox;
  const [first, second] = [...world.leads()].map(({ id }) => textOf(id));
  await one.rows(`DELETE FROM ${one.table('leads')} WHERE id = $1`, [first]);
  await one.rows(
    `UPDATE ${one.table('leads')} 
        SET date_updated = '2020-01-01', _sdc_record_hash = gen_random_uuid() WHERE id = $1`,
    [second],
  );
  world.purgeTask(textOf([...world.tasks()][0]?.id));
  await one.rows(
    `INSERT INTO ${one.table('users')} (id, _sdc_received_at, _sdc_record_hash)
     VALUES ('user_gone', '2026-01-01', gen_random_uuid())`,
  );
  return { leads: [1, 1, 0, 0], tasks: [0, 0, 1, 0], users: [0, 0, 1, 0] };
}

describe('a reconciliation', () => {
  it('finds nothing where nothing differs', async () => {
    const one = await opened({ streams: [...LARGE, ...SMALL, 'event_log'] });
    const { outcome, reconciled, rows } = await one.sync('reconcile');
    expect([outcome, rows, found(reconciled)]).toEqual(['complete', 0, {}]);
    const counts = reconciled?.map(({ stream, source, warehouse }) => [stream, source, warehouse]);
    const { world } = one.sandbox;
    const leads = [...world.leads()].length;
    expect(counts).toContainEqual(['leads', leads, leads]);
    // A log only grows.
    expect(reconciled?.map(({ stream }) => stream).sort()).toEqual([...LARGE, ...SMALL].sort());
  });

  it('mends what is missing, outdated or gone, and says how much', async () => {
    const one = await opened({ streams: [...LARGE, ...SMALL] });
    const done = await damage(one);
    const { outcome, reconciled } = await one.sync('reconcile');
    expect([outcome, found(reconciled)]).toEqual(['complete', done]);
    expect(await differences(one, [...LARGE, ...SMALL])).toEqual([]);
    const gone = await one.rows(
      `SELECT stream, is_absence FROM closehaul.tombstones WHERE stream <> 'leads' ORDER BY stream`,
    );
    expect(gone).toEqual([
      { stream: 'tasks', is_absence: true },
      { stream: 'users', is_absence: true },
    ]);
    const told = await one.rows(
      `SELECT stream, missing + outdated + vanished AS found FROM closehaul.reconciliations
        WHERE finished_at >= started_at AND source IS NOT NULL AND missing + vanished > 0 ORDER BY 1`,
    );
    expect(told).toEqual([
      { stream: 'leads', found: 2 },
      { stream: 'tasks', found: 1 },
      { stream: 'users', found: 1 },
    ]);
    const again = await one.sync('reconcile', 'reconcile/2');
    expect(found(again.reconciled)).toEqual({});
  });

  it('goes on where it was stopped, and counts the same', async () => {
    const crashes = { after: Infinity, times: 0 };
    const probe = (point: string): void => {
      if (point !== 'page-committed' && point !== 'checkpoint-moved') return;
      if ((crashes.after -= 1) >= 0) return;
      crashes.after = 2;
      crashes.times += 1;
      throw new Error('killed');
    };
    const one = await opened({ streams: [...LARGE, ...SMALL], probe });
    const done = await damage(one);
    crashes.after = 2;
    let last = await one.sync('reconcile');
    for (let tries = 0; tries < 40 && last.outcome !== 'complete'; tries += 1) {
      last = await one.sync('reconcile');
    }
    expect([last.outcome, found(last.reconciled)]).toEqual(['complete', done]);
    expect(crashes.times).toBeGreaterThan(5);
    expect(await differences(one, [...LARGE, ...SMALL])).toEqual([]);
  });

  it('mends an outage longer than the event log, which asks for it by itself', async () => {
    const one = await opened({ streams: [...LARGE, 'event_log'], perMinute: 0.005 });
    one.setQuiet(false);
    one.pass(40 * DAY_MS);
    one.setQuiet(true);
    const { gap, streams, rereads } = await one.sync('incremental');
    expect(gap).toMatch(/^gap-\d{14}$/);
    const copies = { id: `copies-${gap}`, streams: ['leads', 'activities'] };
    expect(rereads).toMatchObject([copies]);
    expect(streams.find(({ name }) => name === 'event_log')?.note).toContain('closehaul reconcile');
    expect(await differences(one, LARGE)).not.toEqual([]);
    // It asks for the same one until that has ended.
    one.pass(60_000);
    expect((await one.sync('incremental')).gap).toBe(gap);
    const mended = await one.sync('reconcile');
    expect([mended.outcome, mended.gap]).toEqual(['complete', null]);
    expect(found(mended.reconciled)).toHaveProperty('activities');
    // What a record holds of others has no clock, and nobody tells of it any more.
    expect(await differences(one, LARGE, ['view'])).not.toEqual([]);
    await one.sync('backfill', `backfill/${copies.id}`);
    // The view of a task has none either, and time changes it.
    expect(await differences(one, LARGE, ['view'])).toEqual([]);
  });

  it('takes nothing for gone that changes, comes or goes while it counts', async () => {
    const one = await opened({ streams: [...LARGE, 'event_log'], perMinute: 20 });
    one.setQuiet(false);
    one.pass(10 * 60_000);
    const { outcome } = await one.sync('reconcile');
    expect(outcome).toBe('complete');
    one.setQuiet(true);
    one.pass(60_000);
    await one.sync('incremental');
    expect(await differences(one, LARGE)).toEqual([]);
  });

  it('takes nothing for gone because a list leaves it out', async () => {
    const one = await opened({ streams: LARGE, leads: 250, activities: 300 });
    one.sandbox.setFaults(['has-more-false=1']);
    const { outcome, reconciled } = await one.sync('reconcile');
    expect(outcome).toBe('complete');
    expect(found(reconciled)).toEqual({});
    one.sandbox.setFaults([]);
    expect(await differences(one, ['contacts', 'activities'])).toEqual([]);
  });

  it('concludes nothing from what the key may not read', async () => {
    const one = await opened({ streams: ['tasks', 'outcomes', 'webhooks'] });
    one.sandbox.setFaults(['forbidden=/webhook']);
    const { outcome, reconciled } = await one.sync('reconcile');
    expect(outcome).toBe('complete');
    expect(found(reconciled)).toEqual({});
    expect(reconciled?.find(({ stream }) => stream === 'webhooks')).toMatchObject({
      source: null,
      note: expect.stringContaining('/webhook/') as string,
    });
  });

  it('says what still differs when PostgreSQL refuses a record', async () => {
    const one = await opened({ streams: ['leads'] });
    const [first] = [...one.sandbox.world.leads()].map(({ id }) => textOf(id));
    await one.rows(`DELETE FROM ${one.table('leads')} WHERE id = '${first}'`);
    await one.rows(
      `ALTER TABLE ${one.table('leads')} ADD CONSTRAINT refuses CHECK (id <> '${first}')`,
    );
    const { reconciled } = await one.sync('reconcile');
    expect(found(reconciled)).toEqual({ leads: [1, 0, 0, 1] });
    await one.rows(`ALTER TABLE ${one.table('leads')} DROP CONSTRAINT refuses`);
  });
});
