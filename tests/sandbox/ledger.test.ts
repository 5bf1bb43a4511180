import { describe, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { microsOf } from '../../src/sandbox/moment.js';
import { LiveChanges } from '../../src/sandbox/world/live-changes.js';
import { tableNames } from '../../src/sandbox/world/world-data.js';
import { World } from '../../src/sandbox/world/world.js';

const span = { from: microsOf('2025-01-01'), until: microsOf('2026-01-01') };
const NEW_YEAR = new Date('2026-01-01T00:00:00Z');

function makeWorld(seed: string, now = (): Date => NEW_YEAR): World {
  return new World({ seed, leads: 60, activities: 600, span }, now);
}

function living(world: World): Record<(typeof tableNames)[number], JsonObject[]> {
  return {
    leads: [...world.leads()],
    contacts: [...world.contacts()],
    opportunities: [...world.opportunities()],
    tasks: [...world.tasks()],
    activities: [...world.activities()],
    threads: [...world.emailThreads()],
  };
}

function byId(records: Iterable<JsonObject>): Map<string, JsonObject[]> {
  const found = new Map<string, JsonObject[]>();
  for (const record of records) {
    const id = textOf(record.id);
    found.set(id, [...(found.get(id) ?? []), record]);
  }
  return found;
}

describe('the versions of one record', () => {
  it('are as the API gave them, from the first on, also after the record is gone', () => {
    const world = makeWorld('one');
    const note = [...world.activities()].find((record) => record._type === 'Note') ?? {};
    const id = textOf(note.id);
    expect(world.versions(id)).toEqual([note]);
    const second = world.updateActivity(id, { note: 'two' });
    const third = world.updateActivity(id, { note: 'three' });
    world.deleteActivity(id, '2026-02-03T04:05:06Z');
    expect(world.versions(id)).toEqual([note, second, third]);
    expect(world.deletions()).toEqual([
      { table: 'activities', id, at: '2026-02-03T04:05:06+00:00' },
    ]);
    expect(world.versions('acti_nobody')).toEqual([]);
  });

  it('begin with the first answer for a record that came later', () => {
    const world = makeWorld('later');
    const lead = world.createLead({ name: 'New' });
    const id = textOf(lead.id);
    const email = world.createActivity('Email', id, { subject: 'Hello' });
    expect(world.versions(id)).toEqual([lead]);
    expect(world.versions(textOf(email.id))).toEqual([email]);
    expect(world.versions(textOf(email.thread_id))).toHaveLength(1);
  });

  it('tell of a change that reaches the record by way of another', () => {
    const world = makeWorld('reach');
    const opportunity = [...world.opportunities()][0] ?? {};
    const lead = textOf(opportunity.lead_id);
    const before = world.versions(lead);
    world.updateOpportunity(textOf(opportunity.id), { confidence: 42, note: 'changed' });
    expect(world.versions(lead)).toEqual([...before, world.lead(lead)]);
    world.updateLead(lead, { name: 'Renamed' });
    const names = world.versions(textOf(opportunity.id)).map((version) => version.lead_name);
    expect(names).toEqual([opportunity.lead_name, opportunity.lead_name, 'Renamed']);
  });
});

describe('the whole ledger', () => {
  it('is complete after many changes: first, last and lost ones', () => {
    let now = NEW_YEAR;
    const world = makeWorld('live', () => now);
    const first = living(world);
    now = new Date(NEW_YEAR.getTime() + 60 * 60_000);
    const changes = new LiveChanges(world, 20, span.until);
    changes.start();
    changes.stop();
    const last = living(world);
    const gone = new Map(world.deletions().map((deletion) => [deletion.id, deletion]));
    expect(gone.size).toBeGreaterThan(0);
    for (const table of tableNames) {
      const versions = byId(world.allVersions(table));
      const atFirst = byId(first[table]);
      const atLast = byId(last[table]);
      expect(versions.size, table).toBeGreaterThanOrEqual(atFirst.size);
      for (const [id, [record]] of atFirst) {
        // What a task's view is depends on the clock alone.
        expect({ ...versions.get(id)?.[0], view: '' }).toEqual({ ...record, view: '' });
      }
      for (const [id, list] of versions) {
        expect(atLast.has(id), id).toBe(!gone.has(id));
        if (atLast.has(id)) expect(list.at(-1)).toEqual(atLast.get(id)?.[0]);
      }
    }
    for (const { at } of gone.values()) expect(at > NEW_YEAR.toISOString().slice(0, 19)).toBe(true);
  });

  it('gives each version of an activity another time, and the same ledger for the same seed', () => {
    const run = (): World => {
      const later = new Date(NEW_YEAR.getTime() + 30 * 60_000);
      const world = makeWorld('same', () => later);
      const changes = new LiveChanges(world, 20, span.until);
      changes.start();
      changes.stop();
      return world;
    };
    const world = run();
    const versions = byId(world.allVersions('activities'));
    const changed = [...versions.values()].filter((list) => list.length > 1);
    expect(changed.length).toBeGreaterThan(10);
    for (const list of changed) {
      const times = list.map((version) => textOf(version.date_updated));
      expect(new Set(times).size).toBe(times.length);
    }
    const again = run();
    expect([...again.allVersions('activities')]).toEqual([...world.allVersions('activities')]);
    expect(again.deletions()).toEqual(world.deletions());
  });

  it('is not kept where it is not wanted', () => {
    const size = { seed: 'none', leads: 2, activities: 4, span };
    const world = new World(size, () => NEW_YEAR, false);
    const lead = world.createLead();
    expect(() => world.versions(textOf(lead.id))).toThrow('no ledger');
  });
});

describe('activities', () => {
  it('do not change with the contacts that their lead gets later', () => {
    const world = makeWorld('ahead');
    const meetings = [...world.activities({ from: '2026-01-01T00:00:01Z' })];
    const lead = [...world.leads()][0] ?? {};
    const own = world.createActivity('Meeting', textOf(lead.id), {
      date_created: '2026-05-01T00:00:00Z',
    });
    for (const { lead_id } of [...meetings, own]) world.createContact(textOf(lead_id), {});
    for (const meeting of [...meetings, own]) {
      expect(world.activity(textOf(meeting.id))).toEqual(meeting);
    }
  });
});
