import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/sandbox/json.js';
import type { SettingName } from '../../src/sandbox/records/settings/kinds.js';
import { openReplica, type Replica } from './replica.js';

let replica: Replica | undefined;
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

/** How many histories are tried; CI asks for more by LEDGER_SEEDS. */
const SEEDS = Number(process.env['LEDGER_SEEDS'] ?? '4');

interface Difference {
  readonly stream: string;
  readonly lost: string[];
  readonly ghost: string[];
  readonly stale: string[];
  readonly doubled: string[];
}

/** What the tables of a stream say, against what the account holds: versions, and where they hang. */
async function compare(
  one: Replica,
  stream: string,
  living: Iterable<JsonObject>,
  view = stream,
): Promise<Difference> {
  const rows = await one.rows(`SELECT to_jsonb(t) AS row FROM ${one.table(view)} t ORDER BY id`);
  const alive = rows
    .map(({ row }) => row as JsonObject)
    .filter(({ _sdc_deleted_at: gone }) => gone === null);
  const shown = new Map(alive.map((row) => [text(row.id), versionOf(row)]));
  const expected = new Map([...living].map((record) => [text(record.id), versionOf(record)]));
  const ids = alive.map(({ id }) => text(id));
  return {
    stream,
    lost: [...expected.keys()].filter((id) => !shown.has(id)),
    ghost: [...shown.keys()].filter((id) => !expected.has(id)),
    stale: [...expected]
      .filter(([id, version]) => shown.has(id) && shown.get(id) !== version)
      .map(([id]) => id),
    doubled: ids.filter((id, index) => ids.indexOf(id) !== index),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function versionOf(record: JsonObject): string {
  return `${micros(text(record.date_updated))} ${text(record.lead_id)}`;
}

/** A time of Close as the warehouse gives it. */
function micros(time: string): string {
  const [, second = '', fraction = ''] = /^(.{19})(?:\.(\d+))?/.exec(time) ?? [];
  return `${second}.${fraction.padEnd(6, '0')}Z`;
}

function* chain<T>(...all: Iterable<T>[]): Generator<T> {
  for (const each of all) yield* each;
}

async function differences(one: Replica): Promise<Difference[]> {
  const { world } = one.sandbox;
  const all = await Promise.all([
    compare(one, 'leads', world.leads()),
    compare(one, 'contacts', world.contacts()),
    compare(one, 'opportunities', world.opportunities()),
    compare(one, 'tasks', world.tasks()),
    compare(
      one,
      'activities',
      chain(world.activities(), world.emailThreads()),
      'activities_current',
    ),
  ]);
  return all.filter(({ lost, ghost, stale, doubled }) =>
    [lost, ghost, stale, doubled].some((each) => each.length > 0),
  );
}

describe('after everything has come to rest', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => `ledger-${index}`))(
    'nothing is lost, doubled, stale or a ghost: %s',
    async (seed) => {
      const streams = ['leads', 'contacts', 'opportunities', 'tasks', 'activities', 'event_log'];
      replica = await openReplica({ seed, startDate: '2020-01-01', streams });
      replica.setQuiet(false);
      await replica.sync('initial');
      for (let time = 0; time < 4; time += 1) {
        replica.pass(20 * 60_000);
        const { outcome } = await replica.sync('incremental');
        expect(outcome).toBe('complete');
      }
      replica.setQuiet(true);
      replica.pass(60_000);
      await replica.sync('incremental');
      expect(await differences(replica)).toEqual([]);
      expect(replica.sandbox.world.deletions().length).toBeGreaterThan(0);
    },
    60_000,
  );
});

it('the small lists of settings come to rest, too', async () => {
  replica = await openReplica({ seed: 'settings', perMinute: 20 });
  const one = replica;
  one.setQuiet(false);
  await one.sync('initial');
  for (let time = 0; time < 3; time += 1) {
    one.pass(30 * 60_000);
    await one.sync('incremental');
  }
  one.setQuiet(true);
  // What the event log does not tell of is read again after six hours.
  one.pass(7 * 3_600_000);
  await one.sync('incremental');
  const { settings } = one.sandbox.world;
  const same = ['roles', 'groups', 'outcomes', 'custom_activity_types', 'custom_object_types'];
  for (const name of same as readonly SettingName[]) {
    const { lost, ghost, doubled } = await compare(one, name, settings.all(name));
    expect({ name, lost, ghost, doubled }).toEqual({ name, lost: [], ghost: [], doubled: [] });
  }
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
    const note = world.createActivity('Note', text(lead?.id), { note: 'first' });
    replica.pass(60_000);
    await replica.sync('incremental');
    replica.pass(3_600_000);
    world.updateActivity(text(note.id), { note: 'second' });
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
  const [source, destination] = [...world.leads()].map(({ id }) => text(id));
  world.mergeLeads(source ?? '', destination ?? '');
  replica.pass(60_000);
  await replica.sync('incremental');
  const rows = await replica.rows(
    `SELECT id, _sdc_merged_into AS "into" FROM ${replica.table('leads')} WHERE _sdc_deleted_at IS NOT NULL`,
  );
  expect(rows).toEqual([{ id: source, into: destination }]);
  expect(await differences(replica)).toEqual([]);
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
  const tables = rows.map((row) => row['table_name']);
  expect(tables).toContain('leads');
  expect(tables.filter((name) => text(name).startsWith('leads__contacts'))).toEqual([]);
});
