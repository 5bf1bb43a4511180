/** Nothing happens in the account that its log of events does not tell. */
import { beforeAll, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { microsOf } from '../../src/sandbox/moment.js';
import { LiveChanges } from '../../src/sandbox/world/live-changes.js';
import { World } from '../../src/sandbox/world/world.js';

const span = { from: microsOf('2025-01-01'), until: microsOf('2026-01-01') };
const START = '2026-01-01T00:00:00';
let world: World;
const last = new Map<string, JsonObject>();

beforeAll(() => {
  let now = new Date(`${START}Z`);
  world = new World({ seed: 'told', leads: 80, activities: 800, span }, () => now);
  now = new Date(now.getTime() + 3 * 3_600_000);
  const changes = new LiveChanges(world, 10, span.until);
  changes.start();
  changes.stop();
  for (const event of world.events()) last.set(textOf(event.object_id), event);
});

function expectSame(record: JsonObject, event: JsonObject | undefined, except: string[]): void {
  const data = (event?.data ?? {}) as JsonObject;
  expect(event?.action, textOf(record.id)).not.toBe('deleted');
  for (const [key, value] of Object.entries(data)) {
    if (key in record && !except.includes(key)) expect(value, key).toEqual(record[key]);
  }
}

it('every record that changed has its last state in its last event', () => {
  const lists = [world.contacts(), world.opportunities(), world.tasks(), world.activities()];
  let changed = 0;
  for (const list of [...lists, world.emailThreads()]) {
    for (const record of list) {
      if (textOf(record.date_updated) < START) continue;
      // Those that were laid out with a time ahead have told it before.
      const event = last.get(textOf(record.id));
      changed++;
      // What depends on the clock is as of the event.
      expectSame(record, event, ['view']);
      expect((event?.data as JsonObject).date_updated).toBe(record.date_updated);
    }
  }
  expect(changed).toBeGreaterThan(500);
});

it('every lead has its last state in its last event, but for the time that others moved', () => {
  let told = 0;
  for (const lead of world.leads()) {
    const event = last.get(textOf(lead.id));
    if (!event || textOf(event.date_updated) < START) continue;
    told++;
    expectSame(lead, event, ['date_updated', 'display_name']);
  }
  expect(told).toBeGreaterThan(100);
});

it('every record that went has a deleted event, and no other has', () => {
  const gone = new Set(world.deletions().map(({ id }) => id));
  expect(gone.size).toBeGreaterThan(50);
  for (const id of gone) expect(last.get(id), id).toMatchObject({ action: 'deleted', data: null });
  for (const [id, event] of last) {
    if (event.action === 'deleted') expect(gone.has(id), id).toBe(true);
  }
});

it('every merge has its events, and its destination is the children’s lead', () => {
  expect(world.merges().length).toBeGreaterThan(2);
  const events = [...world.events()];
  for (const { source, destination } of world.merges()) {
    const meta = { merge_source_lead_id: source, merge_destination_lead_id: destination };
    const own = events.filter(
      (event) => event.meta !== null && textOf(event.meta) === textOf(meta),
    );
    expect(own.some((event) => event.action === 'merged' && event.object_id === destination)).toBe(
      true,
    );
    expect(own.some((event) => event.action === 'deleted' && event.object_id === source)).toBe(
      true,
    );
  }
});
