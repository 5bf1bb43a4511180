import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addMillis, DAY_MS, parseInstant, type Instant } from '../../src/core/instant.js';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { createCustomObject } from '../../src/sandbox/world/live-settings.js';
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
/** What the event log does not tell, or not all of. */
const UNTOLD = ['users', 'memberships', 'roles', 'outcomes'];
/** Every so many histories have all streams, the others the large ones. */
const ALL_EVERY = 8;
/** Histories that are tried at the same time. */
const LANES = 2;

/** Slices of activities meet at the edge: every 30 days since 1970 there is one. */
const SPAN = { start: '2026-11-01T12:00:00Z', edge: '2026-11-03T00:00:00Z' };
const UNTIL = '2026-11-03T12:00:00Z';
/** Events show so late at most; five minutes are read again. */
const LATE_SECONDS = 240;

/**
 * Records that lie exactly where a slice or a window begins. No two changes of an account have one
 * time, so each history has another kind of record on the edge and the others a microsecond behind.
 */
function plant({ world }: Replica['sandbox'], seed: number): void {
  const [lead] = [...world.leads()].map(({ id }) => textOf(id));
  if (lead === undefined) throw new Error('an account without leads');
  const makers = [
    () => world.createLead(),
    () => world.createActivity('Note', lead, { note: 'on the edge' }),
    () => world.createOpportunity(lead, { value: 100 }),
    () => createCustomObject(world, lead, 'on the edge'),
    () => world.createTask(lead, { text: 'on the edge' }),
  ];
  const first = seed % makers.length;
  const start = parseInstant(SPAN.start) as Instant;
  for (const time of [start, addMillis(start, DAY_MS), SPAN.edge]) {
    for (const make of [...makers.slice(first), ...makers.slice(0, first)]) world.at(time, make);
  }
}

/** An account that changes while it is read, with events that come late, until all is at rest. */
async function live(seed: number, tables: Tables): Promise<string[]> {
  const isFull = seed % ALL_EVERY === 0;
  const streams = isFull ? [...CORE, ...FOLLOWED, ...UNTOLD] : CORE;
  const replica = await openReplica({
    ...{ tables, streams, seed: `account-${seed % ACCOUNTS}`, changes: seed, perMinute: 2 },
    ...{ leads: 4, activities: 16, from: SPAN.start, startDate: SPAN.start, until: UNTIL },
  });
  try {
    plant(replica.sandbox, seed);
    replica.sandbox.setFaults([`late-events=${LATE_SECONDS}`, 'search-lag=60']);
    replica.setQuiet(false);
    await replica.sync('initial');
    replica.pass(20 * 60_000);
    await replica.sync('incremental');
    replica.setQuiet(true);
    replica.pass((LATE_SECONDS + 10) * 1_000);
    const rest = await replica.sync('incremental');
    const lines = await differences(replica, isFull ? [...CORE, ...FOLLOWED] : CORE);
    if (isFull) {
      // They are read whole every six hours, by the clock of the database and not by the account's.
      await replica.rows("UPDATE closehaul.bookmarks SET read_at = '2020-01-01'");
      await replica.sync('incremental');
      lines.push(...(await differences(replica, UNTOLD)));
    }
    return rest.outcome === 'complete' ? lines : [`the last sync is ${rest.outcome}`, ...lines];
  } finally {
    await replica.close();
  }
}

describe('after everything has come to rest', () => {
  const free: Tables[] = [];
  const waiting: ((tables: Tables) => void)[] = [];
  beforeAll(async () => {
    for (let lane = 0; lane < LANES; lane += 1) free.push(await openTables());
  });
  afterAll(async () => {
    for (const tables of free) await tables.close();
  });
  const take = async (): Promise<Tables> =>
    free.pop() ?? new Promise((resolve) => waiting.push(resolve));
  const give = (tables: Tables): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(tables);
    else next(tables);
  };

  it.concurrent.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'nothing is lost, doubled, stale or a ghost: history %i',
    async (seed) => {
      const tables = await take();
      expect(await live(seed, tables).finally(() => give(tables))).toEqual([]);
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

  it('has what a search finds read too, once it may search', async () => {
    const streams = ['leads', 'contacts', 'custom_objects'];
    const range = { from: '2026-09-01', startDate: '2026-09-01' };
    replica = await openReplica({ seed: 'rights', streams, ...range });
    replica.sandbox.setFaults(['forbidden=/data/search']);
    await replica.sync('initial');
    replica.sandbox.setFaults([]);
    // As if the six hours had passed after which the live lane searches again.
    await replica.rows("UPDATE closehaul.bookmarks SET read_at = '2020-01-01'");
    replica.pass(60_000);
    const { rereads = [] } = await replica.sync('incremental');
    expect(rereads.flatMap(({ streams: names }) => names)).toEqual(['contacts', 'custom_objects']);
    replica.requests();
    for (const { id } of rereads) await replica.sync('backfill', `backfill/${id}`);
    const searches = replica.requests().filter((request) => request === 'POST /data/search/');
    // Each of these backfills is of all streams: one search for contacts, one for custom objects.
    expect(searches).toHaveLength(2 * rereads.length);
    expect(await differences(replica, streams)).toEqual([]);
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
