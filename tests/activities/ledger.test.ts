import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { differences } from './ledger-differences.js';
import { openReplica, openTables, type Replica, type Tables } from './replica.js';

let replica: Replica | undefined;
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

/** How many histories are tried; LEDGER_SEEDS asks for more, LEDGER_FROM begins with another. */
const SEEDS = Number(process.env['LEDGER_SEEDS'] ?? '200');
const FIRST_SEED = Number(process.env['LEDGER_FROM'] ?? '0');
/** Accounts with other custom fields, each; every history begins with one of them. */
const ACCOUNTS = 4;

const CORE = ['leads', 'contacts', 'opportunities', 'tasks', 'activities', 'event_log'];
/** What the event log tells the changes of; of users it tells only that they come and go. */
const FOLLOWED = [
  ...['groups', 'custom_activity_types', 'custom_object_types', 'custom_objects', 'comments'],
  ...['email_templates', 'sms_templates', 'sequences', 'sequence_subscriptions', 'pipelines'],
  ...['lead_statuses', 'opportunity_statuses'],
];
/** Every so many histories have all streams, the others the large ones. */
const ALL_EVERY = 4;

describe('after everything has come to rest', () => {
  let tables: Tables;
  beforeAll(async () => (tables = await openTables()));
  afterAll(async () => tables.close());

  it.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'nothing is lost, doubled, stale or a ghost: history %i',
    async (seed) => {
      const streams = seed % ALL_EVERY === 0 ? [...CORE, ...FOLLOWED] : CORE;
      replica = await openReplica({
        ...{ tables, streams, seed: `account-${seed % ACCOUNTS}`, changes: seed },
        ...{ leads: 6, activities: 24, from: '2026-10-28', startDate: '2026-10-28', perMinute: 2 },
      });
      replica.setQuiet(false);
      await replica.sync('initial');
      replica.pass(20 * 60_000);
      await replica.sync('incremental');
      replica.setQuiet(true);
      replica.pass(60_000);
      const { outcome } = await replica.sync('incremental');
      expect(outcome).toBe('complete');
      const compared = streams.filter((name) => name !== 'event_log');
      expect(await differences(replica, compared)).toEqual([]);
    },
    60_000,
  );
});

describe('requests', () => {
  it('a sync without changes costs one for each of six lists, and writes nothing', async () => {
    replica = await openReplica({ seed: 'quiet' });
    await replica.sync('initial');
    replica.pass(30 * 60_000);
    await replica.sync('incremental');
    replica.requests();
    replica.pass(30 * 60_000);
    const { rows, outcome } = await replica.sync('incremental');
    expect([rows, outcome]).toEqual([0, 'complete']);
    expect(replica.requests().toSorted()).toEqual([
      ...['GET /activity/', 'GET /activity/emailthread/', 'GET /event/', 'GET /lead/'],
      ...['GET /opportunity/', 'GET /task/'],
    ]);
  });

  it('a sync with 100 changes costs at most 30, when each of them is another record', async () => {
    const from = '2026-10-01';
    const size = { leads: 60, activities: 600, from, startDate: '2025-01-01' };
    replica = await openReplica({ seed: 'busy', streams: CORE, ...size });
    await replica.sync('initial');
    replica.pass(30 * 60_000);
    await replica.sync('incremental');
    const { world } = replica.sandbox;
    const [leads, deals] = [[...world.leads()], [...world.opportunities()]];
    const [tasks, activities] = [[...world.tasks()], [...world.activities()]];
    const notes = activities.filter(({ _type: type }) => type === 'Note' || type === 'Call');
    const edits: [(id: string) => unknown, readonly JsonObject[]][] = [
      [(id) => world.updateLead(id, { description: 'new' }), leads.slice(0, 25)],
      [(id) => world.updateActivity(id, { note: 'new' }), notes.slice(0, 50)],
      [(id) => world.updateOpportunity(id, { confidence: 5 }), deals.slice(0, 15)],
      [(id) => world.updateTask(id, { text: 'new' }), tasks.slice(0, 10)],
    ];
    for (const [edit, records] of edits) for (const { id } of records) edit(textOf(id));
    const changed = edits.reduce((sum, [, records]) => sum + records.length, 0);
    replica.requests();
    replica.pass(30 * 60_000);
    const { outcome } = await replica.sync('incremental');
    const requests = replica.requests();
    expect([outcome, changed]).toEqual(['complete', 100]);
    expect(requests.length).toBeLessThanOrEqual(30);
    expect(await differences(replica, CORE.slice(0, 5))).toEqual([]);
  });

  it('history costs at most 10.5 for a thousand records, at pages of 100', async () => {
    const streams = ['leads', 'contacts', 'opportunities', 'tasks', 'activities'];
    const from = '2026-08-01';
    const size = { leads: 1_200, activities: 12_000, requestMs: 0, from, startDate: from };
    replica = await openReplica({ seed: 'history', streams, ...size });
    const { records, outcome } = await replica.sync('initial');
    expect(outcome).toBe('complete');
    const perThousand = (replica.requests().length * 1_000) / records;
    expect(perThousand).toBeLessThanOrEqual(10.5);
  }, 120_000);
});

describe('a key that may not read everything', () => {
  it('has the history of a stream read by itself once it may read it', async () => {
    const range = { from: '2026-09-01', startDate: '2026-09-01' };
    replica = await openReplica({ seed: 'rights', streams: ['leads', 'opportunities'], ...range });
    replica.sandbox.setFaults(['forbidden=/opportunity']);
    const history = await replica.sync('initial');
    expect([history.outcome, history.rereads]).toEqual(['complete', []]);
    replica.pass(60_000);
    // Nothing is asked for as long as it would be in vain.
    expect((await replica.sync('incremental')).rereads).toEqual([]);
    replica.sandbox.setFaults([]);
    replica.pass(60_000);
    const { rereads = [] } = await replica.sync('incremental');
    const [wish] = rereads;
    expect(rereads).toEqual([
      {
        id: expect.stringMatching(/^rights-opportunities-\d{14}$/) as string,
        streams: ['opportunities'],
        from: '2026-09-01T00:00:00.000000Z',
      },
    ]);
    const done = await replica.sync('backfill', `backfill/${wish?.id}`);
    expect([done.outcome, done.rereads]).toEqual(['complete', []]);
    expect(await differences(replica, ['leads', 'opportunities'])).toEqual([]);
  });

  it('has its other streams complete, and is told which it may not read', async () => {
    replica = await openReplica({ seed: 'restricted', role: 'restricteduser' });
    const history = await replica.sync('initial');
    expect(history.outcome).toBe('complete');
    replica.pass(30 * 60_000);
    const { outcome, streams } = await replica.sync('incremental');
    expect(outcome).toBe('complete');
    const log = streams.find(({ name }) => name === 'event_log');
    expect(log).toMatchObject({ isSkipped: true, error: null });
    expect(log?.note).toContain('/event/');
    const shown = await replica.rows(
      "SELECT stream FROM closehaul.sync_status WHERE status = 'Skipped' ORDER BY stream",
    );
    expect(shown.map(({ stream }) => stream)).toEqual([
      ...['bulk_actions', 'custom_fields', 'dialer', 'event_log', 'exports', 'integration_links'],
      ...['webhooks'],
    ]);
  });

  it('without the event log sees an edited activity by the day that is read again', async () => {
    replica = await openReplica({ seed: 'blind', streams: ['leads', 'activities'] });
    await replica.sync('initial');
    const { world } = replica.sandbox;
    const [lead] = [...world.leads()];
    const note = world.createActivity('Note', textOf(lead?.id), { note: 'first' });
    replica.pass(60_000);
    await replica.sync('incremental');
    replica.pass(3_600_000);
    world.updateActivity(textOf(note.id), { note: 'second' });
    await replica.sync('incremental');
    const rows = await replica.rows(
      `SELECT note FROM ${replica.table('activities_current')} WHERE id = $1`,
      [note.id],
    );
    expect(rows).toEqual([{ note: 'second' }]);
  });
});

it('a merge names where the lead went, and none of its children is lost', async () => {
  replica = await openReplica({ seed: 'merge' });
  await replica.sync('initial');
  const { world } = replica.sandbox;
  const [source, destination] = [...world.leads()].map(({ id }) => textOf(id));
  world.mergeLeads(source ?? '', destination ?? '');
  replica.pass(60_000);
  await replica.sync('incremental');
  const rows = await replica.rows(
    `SELECT id, _sdc_merged_into AS "into" FROM ${replica.table('leads')} WHERE _sdc_deleted_at IS NOT NULL`,
  );
  expect(rows).toEqual([{ id: source, into: destination }]);
  expect(await differences(replica, CORE.slice(0, 5))).toEqual([]);
});

it('leaves out the fields that nobody wants', async () => {
  replica = await openReplica({
    seed: 'fields',
    streams: ['leads', 'leads.-contacts', 'leads.-id'],
  });
  await replica.sync('initial');
  const rows = await replica.rows(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'ledger'",
  );
  const tables = rows.map((row) => String(row['table_name']));
  expect(tables).toContain('leads');
  expect(tables.filter((name) => name.startsWith('leads__contacts'))).toEqual([]);
});
