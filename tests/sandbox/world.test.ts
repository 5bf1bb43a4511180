import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { IdCodec } from '../../src/sandbox/ids.js';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { settingKinds, type SettingName } from '../../src/sandbox/records/settings/kinds.js';
import { LiveChanges } from '../../src/sandbox/world/live-changes.js';
import { microsOf, timeText } from '../../src/sandbox/moment.js';
import { indexUnordered, OrderedIndex } from '../../src/sandbox/world/ordered-index.js';
import { startSandbox } from '../../src/sandbox/sandbox.js';
import { World } from '../../src/sandbox/world/world.js';

const span = { from: microsOf('2025-01-01'), until: microsOf('2026-01-01') };
const NEW_YEAR = new Date('2026-01-01T00:00:00Z');

function makeWorld(seed: string, now = (): Date => NEW_YEAR): World {
  return new World({ seed, leads: 150, activities: 1_200, span }, now);
}

function dump(world: World): string {
  const lists: Iterable<JsonObject>[] = [
    world.leads(),
    world.activities(),
    world.emailThreads(),
    world.contacts(),
  ];
  lists.push(world.opportunities(), world.tasks(), world.events());
  for (const name of Object.keys(settingKinds) as SettingName[]) {
    lists.push(world.settings.all(name));
  }
  return lists.map((list) => JSON.stringify([...list])).join('\n');
}

describe('the data', () => {
  it('is the same to the byte for the same seed, and another for another', () => {
    const one = dump(makeWorld('seed'));
    expect(dump(makeWorld('seed')) === one).toBe(true);
    expect(dump(makeWorld('other')) === one).toBe(false);
  });

  it('catches up with the changes that are due, and stands where it would have stood', () => {
    let now = NEW_YEAR;
    const steady = makeWorld('live', () => now);
    const changes = new LiveChanges(steady, 30, span.until);
    for (const minutes of [0, 1, 2, 7, 30]) {
      now = new Date(NEW_YEAR.getTime() + minutes * 60_000);
      changes.start();
      changes.stop();
    }
    const late = makeWorld('live', () => now);
    const lateChanges = new LiveChanges(late, 30, span.until);
    lateChanges.start();
    lateChanges.stop();
    expect(dump(late) === dump(steady)).toBe(true);
    expect(dump(late) === dump(makeWorld('live', () => now))).toBe(false);
    expect([...late.activities()].length).not.toBe(1_200);
  });

  it('goes on changing while the sandbox runs, until it is stopped', async () => {
    const until = new Date().toISOString();
    const options = { seed: 'run', leads: 20, activities: 50, until, changesPerMinute: 6_000 };
    const sandbox = await startSandbox(options);
    const start = sandbox.world.data.version;
    await vi.waitFor(() => {
      expect(sandbox.world.data.version).toBeGreaterThan(start + 20);
    });
    await sandbox.stop();
  });

  it('reaches back before the range and ahead of it, as mailboxes and calendars do', () => {
    const world = new World({ seed: 'range', leads: 300, activities: 5_000, span }, () => NEW_YEAR);
    const early = [...world.activities({ to: '2025-01-01' })];
    const ahead = [...world.activities({ from: '2026-01-01T00:00:01Z' })];
    expect(early.length).toBeGreaterThan(0);
    expect(early.every((record) => record._type === 'Email')).toBe(true);
    expect(ahead.length).toBeGreaterThan(0);
    expect(ahead.every((record) => record._type === 'Meeting')).toBe(true);
    const times = [...world.activities()].map((record) => textOf(record.date_created));
    expect(times.some((time) => time.length === 25)).toBe(true);
    expect(times.some((time) => time.length === 32)).toBe(true);
  });

  it('refers only to records that there are', () => {
    const world = makeWorld('links');
    const known = new Set<unknown>([...world.leads(), ...world.contacts()].map(({ id }) => id));
    for (const list of [world.tasks(), world.opportunities(), world.emailThreads()]) {
      for (const record of list) known.add(record.id);
    }
    const fields = ['lead_id', 'contact_id', 'opportunity_id', 'task_id', 'thread_id'];
    for (const record of world.activities()) {
      for (const field of fields) {
        const id = record[field] ?? null;
        if (id !== null) expect(known.has(id), `${field} ${JSON.stringify(id)}`).toBe(true);
      }
    }
  });

  it('changes nothing but what was changed', () => {
    const world = makeWorld('still');
    const before = new Map([...world.activities()].map((record) => [record.id, record]));
    const [lead] = [...world.leads()].filter((one) => (one.contacts as unknown[]).length > 0);
    const [contact] = lead?.contacts as { id: string }[];
    world.updateContact(contact?.id ?? '', { name: 'New Name' });
    world.createContact(textOf(lead?.id), {});
    world.deleteContact(contact?.id ?? '');
    const email = [...before.values()].find((record) => record._type === 'Email');
    world.deleteActivity(textOf(email?.id));
    for (const record of world.activities()) expect(record).toEqual(before.get(record.id));
  });
});

describe('ids', () => {
  it('lead back to their numbers, and no other text does', () => {
    const codec = new IdCodec('lead', 7, 1);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (number) => {
        const id = codec.encode(number);
        expect(id).toMatch(/^lead_[0-9A-Za-z]{43}$/);
        expect(codec.decode(id)).toBe(number);
        expect(new IdCodec('lead', 8, 1).decode(id)).toBeUndefined();
      }),
    );
    expect(codec.decode('lead_')).toBeUndefined();
  });
});

describe('times', () => {
  it('are written with six digits or none, and read back', () => {
    expect(timeText(microsOf('2026-02-03T04:05:06.07Z'))).toBe('2026-02-03T04:05:06.070000+00:00');
    expect(timeText(microsOf('2026-02-03T06:05:06+02:00'))).toBe('2026-02-03T04:05:06+00:00');
    fc.assert(
      fc.property(
        fc.integer({ min: -62_000_000_000_000_000 / 8, max: 8_000_000_000_000_000 }),
        (micros) => {
          expect(microsOf(timeText(micros))).toBe(micros);
        },
      ),
    );
  });
});

describe('the ordered index', () => {
  const step = fc.record({
    isAdd: fc.boolean(),
    time: fc.integer({ min: 0, max: 9 }),
    which: fc.nat(),
  });
  it('agrees with a sorted list, whatever came and went', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), fc.array(step), (base, steps) => {
        const index: OrderedIndex = indexUnordered(Float64Array.from(base));
        let model = base.map((time, number) => ({ time, number }));
        steps.forEach(({ isAdd, time, which }, at) => {
          if (isAdd || model.length === 0) {
            model.push({ time, number: base.length + at });
            index.add(time, base.length + at);
          } else {
            const [gone] = model.splice(which % model.length, 1);
            if (gone) index.remove(gone.time, gone.number);
          }
        });
        model = model.sort((one, other) => one.time - other.time || one.number - other.number);
        const numbers = model.map(({ number }) => number);
        expect(index.size).toBe(numbers.length);
        for (let rank = 0; rank <= numbers.length; rank++) {
          expect(index.slice(rank, 3)).toEqual(numbers.slice(rank, rank + 3));
        }
        for (let time = 0; time <= 10; time++) {
          expect(index.rankOf(time)).toBe(model.filter((one) => one.time < time).length);
        }
      }),
    );
  });
});
