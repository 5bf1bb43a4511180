import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, ids, rows } from '../support/sandbox-client.js';

const DAY_MS = 86_400_000;
const START = Date.parse('2026-03-01T12:00:00Z');
let nowMs = START;
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'events',
    leads: 200,
    activities: 4_000,
    rateLimit: 0,
    until: '2026-03-01T12:00:00Z',
    now: () => new Date(nowMs),
  });
});
afterAll(() => sandbox.stop());
/** Apart from each other, so that nothing of one test is consolidated with the one before. */
beforeEach(() => {
  nowMs += 60_000;
});

async function events(parameters: Record<string, string | number> = {}): Promise<JsonObject[]> {
  const reply = await ask(sandbox.url, '/event/', parameters);
  expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  return rows(reply);
}

/** What the log says of one object, oldest first. */
async function eventsOf(object_type: string, object_id: string): Promise<JsonObject[]> {
  return (await events({ object_type, object_id })).reverse();
}

async function walk(parameters: Record<string, string | number> = {}): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  let _cursor = '';
  for (;;) {
    const { body } = await ask(sandbox.url, '/event/', { ...parameters, _cursor });
    found.push(...(body.data as JsonObject[]));
    if (body.cursor_next === null) return found;
    _cursor = textOf(body.cursor_next);
  }
}

function someLead(): string {
  return textOf(sandbox.world.createLead().id);
}

describe('pages of the log', () => {
  it('hold 50 at most, the newest first, and lead to all events of 30 days', async () => {
    const [first] = [await ask(sandbox.url, '/event/')];
    expect(rows(first)).toHaveLength(50);
    expect(first.body.cursor_previous).toBeNull();
    const all = await walk();
    expect(all).toEqual([...sandbox.world.events()].reverse());
    expect(all.length).toBeGreaterThan(300);
    const times = all.map((event) => textOf(event.date_updated));
    expect([...times].sort().reverse()).toEqual(times);
    const oldest = new Date(nowMs - 30 * DAY_MS).toISOString().slice(0, 23);
    expect((times.at(-1) ?? '') >= oldest).toBe(true);
    expect((await ask(sandbox.url, '/event/', { _limit: 51 })).status).toBe(400);
  });

  it('lead back by cursor_previous', async () => {
    const first = await ask(sandbox.url, '/event/', { _limit: 10 });
    const second = await ask(sandbox.url, '/event/', {
      _limit: 10,
      _cursor: textOf(first.body.cursor_next),
    });
    const back = await ask(sandbox.url, '/event/', {
      _limit: 10,
      _cursor: textOf(second.body.cursor_previous),
    });
    expect(ids(rows(back))).toEqual(ids(rows(first)));
    expect(back.body.cursor_previous).toBeNull();
  });

  it('forget the filters of date_updated beside a cursor', async () => {
    const lead = someLead();
    nowMs += 60_000;
    const date_updated__gte = new Date(nowMs).toISOString();
    for (let count = 0; count < 3; count++) sandbox.world.createActivity('Note', lead);
    const bounded = { date_updated__gte, _limit: 2 };
    const first = await ask(sandbox.url, '/event/', bounded);
    const second = await ask(sandbox.url, '/event/', {
      ...bounded,
      _limit: 50,
      _cursor: textOf(first.body.cursor_next),
    });
    expect(rows(second)).toHaveLength(50);
    expect(textOf(rows(second).at(-1)?.date_updated) < date_updated__gte.slice(0, 23)).toBe(true);
  });

  it('ignore _skip', async () => {
    expect(ids(await events({ _skip: 7 }))).toEqual(ids(await events()));
  });

  it('have exact edges, to the millisecond', async () => {
    const id = someLead();
    const [made] = await eventsOf('lead', id);
    const at = `${textOf(made?.date_updated)}Z`;
    const within = async (filter: string): Promise<boolean> =>
      ids(await events({ [`date_updated__${filter}`]: at, object_type: 'lead', object_id: id }))
        .length > 0;
    expect(await within('gte')).toBe(true);
    expect(await within('lte')).toBe(true);
    expect(await within('gt')).toBe(false);
    expect(await within('lt')).toBe(false);
  });

  it('refuse an invalid cursor', async () => {
    expect((await ask(sandbox.url, '/event/', { _cursor: 'nonsense' })).status).toBe(400);
  });
});

describe('filters of the log', () => {
  it.each(['object_type', 'action', 'object_id'])('%s alone is refused', async (name) => {
    expect((await ask(sandbox.url, '/event/', { [name]: 'lead' })).status).toBe(400);
  });

  it.each([
    ['object_type', 'action'],
    ['lead_id', 'object_type'],
    ['lead_id', 'user_id'],
    ['user_id', 'object_type'],
    ['object_id', 'action'],
    ['lead_id'],
    ['user_id'],
    ['request_id'],
  ])('%s %s finds what it names and nothing else', async (...names: string[]) => {
    const id = someLead();
    sandbox.world.createActivity('Note', id);
    const [event] = await events({ lead_id: id });
    const filters = Object.fromEntries(names.map((name) => [name, textOf(event?.[name])]));
    const found = await walk(filters);
    expect(ids(found)).toContain(event?.id);
    for (const name of names) {
      expect(found.every((one) => one[name] === event?.[name])).toBe(true);
    }
    const all = [...sandbox.world.events()].filter((one) =>
      names.every((name) => one[name] === event?.[name]),
    );
    expect(ids(found).sort()).toEqual(ids(all).sort());
  });
});

describe('one event', () => {
  it('is found by id until it is 30 days old', async () => {
    const [event] = await events({ lead_id: someLead() });
    const path = `/event/${textOf(event?.id)}/`;
    expect((await ask(sandbox.url, path)).body).toEqual(event);
    nowMs += 30 * DAY_MS + 1;
    expect((await ask(sandbox.url, path)).status).toBe(404);
    expect(await events()).toEqual([]);
    nowMs -= 30 * DAY_MS + 1;
  });

  it('has the ids and naive times of Close', async () => {
    const [event] = await events({ lead_id: someLead() });
    expect(event?.id).toMatch(/^ev_[0-9A-Za-z]{22}$/);
    expect(event?.request_id).toMatch(/^req_[0-9A-Za-z]{22}$/);
    expect(event?.date_updated).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it('is consolidated while it is young: same id, later time, oldest values', async () => {
    const { world } = sandbox;
    const id = textOf(world.createActivity('Note', someLead(), { note: 'one' }).id);
    nowMs += 10_000;
    world.updateActivity(id, { note: 'two' });
    const before = (await eventsOf('activity.note', id)).at(-1);
    nowMs += 4_000;
    world.updateActivity(id, { note: 'three', title: 'T' });
    const found = await eventsOf('activity.note', id);
    expect(found).toHaveLength(2);
    const after = found.at(-1);
    expect(after).toMatchObject({ id: before?.id, date_created: before?.date_created });
    expect(textOf(after?.date_updated) > textOf(before?.date_updated)).toBe(true);
    expect(after?.previous_data).toMatchObject({ note: 'one' });
    expect(after?.data).toMatchObject({ note: 'three', title: 'T' });
    expect(after?.changed_fields).toEqual(
      expect.arrayContaining(['note', 'title', 'date_updated']),
    );
    nowMs += 1_001;
    world.updateActivity(id, { note: 'four' });
    expect(await eventsOf('activity.note', id)).toHaveLength(3);
  });

  it('moves to the front when it is consolidated, past a reader on his way down', async () => {
    const id = textOf(sandbox.world.createActivity('Note', someLead()).id);
    nowMs += 10_000;
    sandbox.world.updateActivity(id, { note: 'two' });
    for (let count = 0; count < 3; count++) someLead();
    const first = await ask(sandbox.url, '/event/', { _limit: 2 });
    nowMs += 1_000;
    sandbox.world.updateActivity(id, { note: 'three' });
    const rest = await events({ _cursor: textOf(first.body.cursor_next) });
    expect(rest.some((event) => event.object_id === id && event.action === 'updated')).toBe(false);
    expect((await events({ _limit: 1 }))[0]?.object_id).toBe(id);
  });

  it('keeps the state of its own time', async () => {
    const { world } = sandbox;
    const id = textOf(world.createActivity('Note', someLead(), { note: 'one' }).id);
    nowMs += 10_000;
    world.updateActivity(id, { note: 'two' });
    const [made, edited] = await eventsOf('activity.note', id);
    expect((made?.data as JsonObject).note).toBe('one');
    expect((edited?.data as JsonObject).note).toBe('two');
    expect(world.activity(id)?.note).toBe('two');
  });

  it('comes without data to keys of others than administrators after an hour', async () => {
    const [event] = await events({ lead_id: someLead() });
    const path = `/event/${textOf(event?.id)}/`;
    sandbox.setRole('user');
    expect((await ask(sandbox.url, path)).body.data).toBeDefined();
    nowMs += 3_600_001;
    const late = (await ask(sandbox.url, path)).body;
    expect(Object.keys(late)).not.toContain('data');
    expect(Object.keys(late)).not.toContain('previous_data');
    sandbox.setRole('admin');
    expect((await ask(sandbox.url, path)).body).toEqual(event);
  });

  it('gives a part of a lead only, with flat custom fields', async () => {
    const id = someLead();
    const [event] = await eventsOf('lead', id);
    const data = event?.data as JsonObject;
    const lead = sandbox.world.lead(id);
    for (const key of ['contacts', 'opportunities', 'tasks', 'custom', 'html_url']) {
      expect(Object.keys(data)).not.toContain(key);
    }
    expect(data.contact_ids).toEqual((lead?.contacts as JsonObject[]).map((one) => one.id));
    for (const key of Object.keys(lead ?? {}).filter((one) => one.startsWith('custom.'))) {
      expect(data[key]).toEqual(lead?.[key]);
    }
  });

  it('gives less of emails and contacts than their lists', async () => {
    const id = someLead();
    const email = sandbox.world.createActivity('Email', id);
    const [event] = await eventsOf('activity.email', textOf(email.id));
    delete email.body_html_quoted;
    delete email.body_text_quoted;
    expect(event?.data).toEqual(email);
  });
});
