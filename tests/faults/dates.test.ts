import { afterEach, expect, it } from 'vitest';
import { openReplica, type Replica } from '../activities/replica.js';

let replica: Replica | undefined;
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

/** A mail of long ago and a meeting of next year come from a mailbox, and an ordinary note after them. */
function addToAll(one: Replica): readonly string[] {
  const { world } = one.sandbox;
  const [lead = ''] = idsOf([...world.leads()]);
  const added = [
    world.synchronize('Email', lead, '2026-02-03T04:05:06.000007+00:00'),
    world.synchronize('Meeting', lead, '2027-06-01T09:00:00+00:00'),
  ];
  one.pass(60_000);
  added.push(world.createActivity('Note', lead, { note: 'after them' }));
  one.pass(60_000);
  return idsOf(added).sort();
}

async function thereOf(one: Replica, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await one.rows(
    `SELECT id FROM ${one.table('activities_current')} WHERE id = ANY($1) ORDER BY id`,
    [ids],
  );
  return idsOf(rows);
}

function idsOf(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  return records.map(({ id }) => (typeof id === 'string' ? id : ''));
}

it('what is dated in the past or the future comes with history, and moves no bookmark past others', async () => {
  replica = await openReplica({ seed: 'dates', streams: ['leads', 'activities', 'event_log'] });
  const first = addToAll(replica);
  await replica.sync('initial');
  await replica.sync('incremental');
  expect(await thereOf(replica, first)).toEqual(first);

  const second = addToAll(replica);
  await replica.sync('incremental');
  expect(await thereOf(replica, second)).toEqual(second);
  const { rows: ahead } = await replica.database.pool.query(
    'SELECT 1 FROM closehaul.bookmarks WHERE bookmark > $1',
    ['2026-11-02T00:00:00Z'],
  );
  expect(ahead).toEqual([]);
});
