import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, drain, ids, rows } from '../support/sandbox-client.js';

let sandbox: Sandbox;
const made: Record<string, string> = {};
const TIMES = ['10:30:59.999999', '10:31:00', '10:31:30.5', '10:31:59.999999', '10:32:00'];

beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'search',
    leads: 120,
    activities: 500,
    rateLimit: 0,
    until: '2026-01-01',
  });
  for (const time of TIMES) {
    const date_created = `2026-02-02T${time}+00:00`;
    made[time] = textOf(sandbox.world.createLead({ date_created }).id);
  }
});
afterAll(() => sandbox.stop());

async function search(query: string): Promise<string[]> {
  return ids(await drain(sandbox.url, '/lead/', { query }, 200));
}
function named(from: number, to: number): (string | undefined)[] {
  return TIMES.slice(from, to).map((time) => made[time]);
}

describe('the text search of leads', () => {
  it.each([
    ['date_updated>="2026-02-02T10:31" sort:date_updated', 1, 5],
    ['date_updated >= "2026-02-02T10:31:45" sort:date_updated', 1, 5],
    ['date_updated > 2026-02-02T10:31 sort:date_updated', 4, 5],
    ['date_updated>="2026-02-02T10:31" date_updated<"2026-02-02T10:32" sort:date_updated', 1, 4],
    [
      'date_updated >= 2026-02-02T10:30 and date_updated <= "2026-02-02T10:31" sort:date_updated',
      0,
      4,
    ],
    ['date_updated >= "2026-02-02" sort:date_updated', 0, 5],
    ['date_updated > "2026-02-02" sort:date_updated', 5, 5],
    ['date_created >= "2026-02-02T12:31:00+02:00" sort:date_created', 1, 5],
  ])('compares to the minute: %s', async (query, from, to) => {
    expect(await search(query)).toEqual(named(from, to));
  });

  it('sorts the other way round with a minus, and so by default', async () => {
    const newestFirst = named(0, 5).reverse();
    expect(await search('date_updated>="2026-02-02" sort:-date_updated')).toEqual(newestFirst);
    expect(await search('date_updated>="2026-02-02"')).toEqual(newestFirst);
  });

  it('counts the matches and joins conditions on both times', async () => {
    const query = 'date_created<"2025-06-01" date_updated>="2025-09-01" sort:date_updated';
    const expected = [...sandbox.world.leads({ from: '2025-09-01', by: 'date_updated' })].filter(
      (lead) => textOf(lead.date_created) < '2025-06-01',
    );
    expect(expected.length).toBeGreaterThan(0);
    expect(await search(query)).toEqual(ids(expected));
    const page = await ask(sandbox.url, '/lead/', { query, _limit: 1 });
    expect(page.body.total_results).toBe(expected.length);
  });

  it('finds by words of the name', async () => {
    const [lead] = [...sandbox.world.leads()].filter((one) => one.name !== '');
    const word = textOf(lead?.name).split(' ').at(-1) ?? '';
    const found = rows(await ask(sandbox.url, '/lead/', { query: word, _limit: 200 }));
    expect(ids(found)).toContain(lead?.id);
  });

  it('refuses a date that it cannot read', async () => {
    expect((await ask(sandbox.url, '/lead/', { query: 'date_updated>="soon"' })).status).toBe(400);
  });
});

describe('what moves a lead', () => {
  const query = 'date_updated>="2020-01-01" sort:date_updated';
  const last = async (): Promise<string | undefined> => (await search(query)).at(-1);

  it('moves to the end when it is edited, and shows the edit', async () => {
    const before = await search(query);
    const id = before[3] ?? '';
    sandbox.world.updateLead(id, { description: 'edited', date_updated: '2026-03-01T00:00:00Z' });
    const after = await search(query);
    expect(after).toEqual([...before.filter((one) => one !== id), id]);
    const { body } = await ask(sandbox.url, `/lead/${id}/`);
    expect(body).toMatchObject({
      description: 'edited',
      date_updated: '2026-03-01T00:00:00+00:00',
    });
  });

  it('moves with its contacts and completed tasks, not with its opportunities', async () => {
    const { world } = sandbox;
    const id = (await search(query))[5] ?? '';
    const contact = world.createContact(id, { name: 'Someone' });
    expect(await last()).toBe(id);
    const other = world.createLead({});
    world.updateContact(textOf(contact.id), { title: 'Chief' });
    expect(await last()).toBe(id);
    world.updateLead(textOf(other.id), { description: '' });
    world.completeTask(textOf(world.createTask(id, { text: 'Call' }).id));
    expect(await last()).toBe(id);
    const [done] = rows(await ask(sandbox.url, '/activity/task_completed/', { lead_id: id }));
    expect(done?.task_text).toBe('Call');
    world.updateLead(textOf(other.id), { description: '' });
    const opportunity = world.createOpportunity(id, { value: 123_450 });
    const changed = world.updateOpportunity(textOf(opportunity.id), { confidence: 50 });
    expect(changed).toMatchObject({ expected_value: 61_725, value: 123_450 });
    expect(await last()).toBe(other.id);
    expect((world.lead(id)?.opportunities as object[]).at(-1)).toEqual(changed);
  });

  it('is gone with all below it when it is deleted', async () => {
    const { world } = sandbox;
    const [id = ''] = await search(query);
    const [activity] = rows(await ask(sandbox.url, '/activity/', { lead_id: id }));
    world.deleteLead(id);
    expect(await search(query)).not.toContain(id);
    expect((await ask(sandbox.url, `/lead/${id}/`)).status).toBe(404);
    expect(world.activity(textOf(activity?.id))).toBeUndefined();
    expect([...world.activities()].some((record) => record.lead_id === id)).toBe(false);
  });
});
