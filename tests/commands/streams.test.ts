import { afterEach, beforeEach, expect, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { describeStream } from '../../src/commands/streams.js';
import { registerStreams } from '../../src/postgres/connections.js';
import { readStreams, type StreamRecord } from '../../src/postgres/report.js';
import {
  ACTIVITIES,
  at,
  LEADS,
  LIVE_FROM,
  openWarehouse,
  SCHEMA,
  STATUSES,
  type Warehouse,
} from '../postgres/warehouse.js';

let warehouse: Warehouse;
beforeEach(async () => {
  warehouse = await openWarehouse('stitch', { streams: [LEADS, ACTIVITIES, STATUSES] });
});
afterEach(() => warehouse.close());

async function recordOf(name: string): Promise<StreamRecord | undefined> {
  const records = await readStreams(warehouse.pool, SCHEMA);
  return records.find(({ stream }) => stream === name);
}

it('tells of each stream how it is read, without any connection', () => {
  const lines = CLOSE_STREAMS.map((stream) => describeStream(stream));
  const line = (name: string) => lines.find((each) => each.name === name);
  expect(line('leads')).toMatchObject({ method: 'keyset', every: 'each sync', rights: null });
  expect(line('contacts')).toMatchObject({ method: 'keyset + search', every: 'each sync' });
  expect(line('users')).toMatchObject({ method: 'list', every: '6 h', loading: 'upsert' });
  expect(lines.every(({ method }) => method !== '')).toBe(true);
});

it('tells rights, rows, table and last sync of a connection', async () => {
  await warehouse.load(LEADS, [{ id: 'lead_1', date_updated: at(1) }]);
  await warehouse.load(ACTIVITIES, [], { note: 'Close does not let us.', isSkipped: true });
  const leads = describeStream(LEADS, await recordOf('leads'));
  expect(leads).toMatchObject({ table: 'leads', rights: 'yes', rows: 1, isSelected: true });
  const activities = describeStream(ACTIVITIES, await recordOf('activities'));
  expect(activities).toMatchObject({ rights: 'no', note: 'Close does not let us.' });
  expect(describeStream(LEADS, await recordOf('lead_statuses')).rights).toBeNull();
});

it('tells what was chosen, and which fields were left out', async () => {
  const leftOut = new Map([['leads', ['contacts', 'tasks']]]);
  await registerStreams(warehouse.pool, SCHEMA, [LEADS], LIVE_FROM, leftOut);
  expect(describeStream(LEADS, await recordOf('leads'))).toMatchObject({
    ...{ isSelected: true, leftOut: ['contacts', 'tasks'] },
  });
  expect(describeStream(ACTIVITIES, await recordOf('activities')).isSelected).toBe(false);
  await registerStreams(warehouse.pool, SCHEMA, [LEADS, ACTIVITIES], LIVE_FROM);
  expect((await recordOf('leads'))?.leftOut).toEqual([]);
  expect((await recordOf('activities'))?.isSelected).toBe(true);
});
