import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, ids, rows } from '../support/sandbox-client.js';

const START = Date.parse('2026-03-01T12:00:00Z');
let nowMs = START;
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'event-causes',
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

describe('what makes events', () => {
  const told = async (lead_id: string): Promise<string[]> =>
    (await walk({ lead_id })).map(
      (event) => `${textOf(event.object_type)} ${textOf(event.action)}`,
    );

  it('a new lead, its contacts and its creation', async () => {
    const id = textOf(sandbox.world.createLead({ contacts: [{ name: 'A' }, { name: 'B' }] }).id);
    expect((await told(id)).sort()).toEqual(
      ['activity.created created', 'contact created', 'contact created', 'lead created'].sort(),
    );
  });

  it('an edited contact: not its lead, though that moves', async () => {
    const { world } = sandbox;
    const id = someLead();
    const contact = textOf(world.createContact(id, { name: 'One' }).id);
    const before = (await told(id)).length;
    nowMs += 10_000;
    const { date_updated } = world.lead(id) ?? {};
    world.updateContact(contact, { title: 'Chief' });
    expect((await told(id)).slice(0, 1)).toEqual(['contact updated']);
    expect(await told(id)).toHaveLength(before + 1);
    expect(textOf(world.lead(id)?.date_updated) > textOf(date_updated)).toBe(true);
  });

  it('a new or deleted contact: its lead too, for contact_ids', async () => {
    const { world } = sandbox;
    const id = someLead();
    nowMs += 10_000;
    const contact = textOf(world.createContact(id, { name: 'One' }).id);
    const made = (await eventsOf('lead', id)).at(-1);
    expect(made?.action).toBe('updated');
    expect((made?.changed_fields as string[]).sort()).toEqual(['contact_ids', 'date_updated']);
    nowMs += 10_000;
    world.deleteContact(contact);
    const [gone] = await events({ object_type: 'contact', object_id: contact, action: 'deleted' });
    expect(gone).toMatchObject({ data: null, changed_fields: [], previous_data: { name: 'One' } });
    expect((await eventsOf('lead', id)).at(-1)?.changed_fields).toContain('contact_ids');
  });

  it('an edited opportunity: nothing of its lead', async () => {
    const { world } = sandbox;
    const id = someLead();
    const deal = textOf(world.createOpportunity(id, { value: 100 }).id);
    const { date_updated } = world.lead(id) ?? {};
    nowMs += 10_000;
    world.updateOpportunity(deal, { confidence: 7 });
    expect((await told(id))[0]).toBe('opportunity updated');
    expect(world.lead(id)?.date_updated).toBe(date_updated);
  });

  it('a completed task, and its activity; a reopened one takes that back', async () => {
    const { world } = sandbox;
    const id = someLead();
    const task = textOf(world.createTask(id, { text: 'Call' }).id);
    nowMs += 10_000;
    world.completeTask(task);
    expect((await told(id)).slice(0, 2).sort()).toEqual([
      'activity.task_completed created',
      'task.lead completed',
    ]);
    nowMs += 10_000;
    world.updateTask(task, { is_complete: false });
    expect((await told(id)).slice(0, 2).sort()).toEqual([
      'activity.task_completed deleted',
      'task.lead updated',
    ]);
    const list = await ask(sandbox.url, '/activity/task_completed/', { lead_id: id });
    expect(rows(list)).toEqual([]);
  });

  it('quick changes of a status as one, and a quick return as none', async () => {
    const { world } = sandbox;
    const id = someLead();
    const [one, two, three] = world.data.organization.leadStatuses.filter(
      (status) => status.id !== world.lead(id)?.status_id,
    );
    const first = world.lead(id)?.status_id ?? null;
    const changes = (): JsonObject[] =>
      [...world.activities()].filter(
        (record) => record.lead_id === id && record._type === 'LeadStatusChange',
      );
    nowMs += 10_000;
    world.updateLead(id, { status_id: one?.id ?? '' });
    nowMs += 2_000;
    world.updateLead(id, { status_id: two?.id ?? '' });
    expect(changes()).toMatchObject([{ old_status_id: first, new_status_id: two?.id }]);
    nowMs += 2_000;
    world.updateLead(id, { status_id: first });
    expect(changes()).toEqual([]);
    const actions = (await walk({ lead_id: id, object_type: 'activity.lead_status_change' })).map(
      ({ action }) => action,
    );
    expect(actions).toEqual(['deleted', 'updated', 'created']);
    world.updateLead(id, { status_id: one?.id ?? '' });
    nowMs += 6_000;
    world.updateLead(id, { status_id: three?.id ?? '' });
    expect(changes()).toHaveLength(2);
  });

  it('nothing where Close clears its own old tasks away', async () => {
    const { world } = sandbox;
    const task = textOf(world.createTask(someLead(), { _type: 'missed_call' }).id);
    world.purgeTask(task);
    expect((await ask(sandbox.url, `/task/${task}/`)).status).toBe(404);
    expect((await events({ object_id: task, action: 'deleted' })).length).toBe(0);
    expect(world.deletions().map(({ id }) => id)).toContain(task);
  });

  it('a call that goes on and ends', async () => {
    const { world } = sandbox;
    const id = someLead();
    const call = world.startCall(id);
    expect(call).toMatchObject({ status: 'in-progress', duration: 0 });
    nowMs += 90_000;
    world.finishCall(textOf(call.id), 88);
    const found = await eventsOf('activity.call', textOf(call.id));
    expect(found.map((event) => event.action)).toEqual(['created', 'completed']);
    expect(found[1]?.data).toMatchObject({ status: 'completed', duration: 88 });
  });

  it('mail from long ago and a meeting ahead: now, whatever their own times', async () => {
    const { world } = sandbox;
    const id = someLead();
    const email = world.synchronize('Email', id, '2019-05-05T05:05:05+00:00');
    const meeting = world.synchronize('Meeting', id, '2027-01-01T09:00:00+00:00');
    for (const record of [email, meeting]) {
      const [event] = await events({ object_id: textOf(record.id), action: 'created' });
      expect(textOf(event?.date_updated).slice(0, 19)).toBe(
        new Date(nowMs).toISOString().slice(0, 19),
      );
    }
    expect(email.date_created).toBe('2019-05-05T05:05:05+00:00');
    expect(meeting.date_created).toBe('2027-01-01T09:00:00+00:00');
    expect(textOf(meeting.date_updated) < textOf(meeting.date_created)).toBe(true);
  });

  it('the last email of a thread takes the thread with it', async () => {
    const { world } = sandbox;
    const id = someLead();
    const email = world.createActivity('Email', id);
    nowMs += 10_000;
    world.deleteActivity(textOf(email.id));
    expect((await told(id)).slice(0, 2).sort()).toEqual([
      'activity.email deleted',
      'activity.email_thread deleted',
    ]);
  });

  it('a deleted lead and everything below it, in one request', async () => {
    const { world } = sandbox;
    const id = textOf(world.createLead({ contacts: [{ name: 'A' }] }).id);
    world.createOpportunity(id);
    world.createTask(id);
    world.createActivity('Email', id);
    nowMs += 10_000;
    world.deleteLead(id);
    const gone = await walk({ lead_id: id });
    const deleted = gone.filter((event) => event.action === 'deleted');
    expect(deleted.map((event) => event.object_type).sort()).toEqual([
      'activity.created',
      'activity.email',
      'activity.email_thread',
      'contact',
      'lead',
      'opportunity',
      'task.lead',
    ]);
    expect(new Set(deleted.map((event) => event.request_id)).size).toBe(1);
  });

  it('a bulk delete, which all its events name', async () => {
    const { world } = sandbox;
    const leads = [someLead(), someLead()];
    nowMs += 10_000;
    const bulk_action_id = world.bulkDeleteLeads(leads);
    expect(bulk_action_id).toMatch(/^bulkdelete_[0-9A-Za-z]{43}$/);
    for (const lead_id of leads) {
      const deleted = (await walk({ lead_id })).filter((event) => event.action === 'deleted');
      expect(deleted.length).toBeGreaterThan(1);
      for (const event of deleted) expect(event.meta).toEqual({ bulk_action_id });
    }
  });
});

describe('a merge', () => {
  it('moves children with their ids, deletes the source, and says so', async () => {
    const { world } = sandbox;
    const source = textOf(world.createLead({ contacts: [{ name: 'A' }] }).id);
    const destination = textOf(world.createLead({ contacts: [{ name: 'B' }] }).id);
    const note = world.createActivity('Note', source, { note: 'kept' });
    const email = world.createActivity('Email', source);
    const deal = world.createOpportunity(source, { value: 5_000 });
    const task = world.createTask(source, { text: 'Call' });
    nowMs += 10_000;
    world.mergeLeads(source, destination);

    expect((await ask(sandbox.url, `/lead/${source}/`)).status).toBe(404);
    const moved = { ...note, lead_id: destination, date_updated: expect.any(String) as string };
    expect(world.activity(textOf(note.id))).toEqual(moved);
    const lead = world.lead(destination);
    expect((lead?.contacts as JsonObject[]).map(({ name }) => name)).toEqual(['B', 'A']);
    expect(ids(lead?.opportunities as JsonObject[])).toEqual([deal.id]);
    expect(ids(lead?.tasks as JsonObject[])).toEqual([task.id]);
    const list = await ask(sandbox.url, '/activity/', { lead_id: destination });
    expect(ids(rows(list))).toEqual(expect.arrayContaining([note.id, email.id]));
    const [merge] = rows(await ask(sandbox.url, '/activity/lead_merge/', { lead_id: destination }));
    expect(merge).toMatchObject({ source_lead_id: source, destination_lead_id: destination });
    expect(world.merges().at(-1)).toMatchObject({ source, destination });
    expect(world.deletions().map(({ id }) => id)).toContain(source);
    expect(world.versions(textOf(note.id))).toHaveLength(2);
  });

  it('tells both leads in the meta of all its events, and the old lead of each child', async () => {
    const { world } = sandbox;
    const source = textOf(world.createLead({ contacts: [{ name: 'A' }] }).id);
    const destination = someLead();
    const note = textOf(world.createActivity('Note', source).id);
    nowMs += 10_000;
    world.mergeLeads(source, destination);
    const [merged] = await events({ object_id: destination, action: 'merged' });
    const meta = { merge_source_lead_id: source, merge_destination_lead_id: destination };
    expect(merged).toMatchObject({ object_type: 'lead', lead_id: destination, meta });
    expect((merged?.data as JsonObject).contact_ids).toHaveLength(2);
    const same = await walk({ request_id: textOf(merged?.request_id) });
    expect(
      same.map((event) => `${textOf(event.object_type)} ${textOf(event.action)}`).sort(),
    ).toEqual([
      'activity.created deleted',
      'activity.lead_merge created',
      'activity.note updated',
      'contact updated',
      'lead deleted',
      'lead merged',
    ]);
    for (const event of same) expect(event.meta).toEqual(meta);
    const moved = same.find((event) => event.object_id === note);
    expect(moved?.previous_data).toMatchObject({ lead_id: source });
    expect(moved?.lead_id).toBe(destination);
  });
});
