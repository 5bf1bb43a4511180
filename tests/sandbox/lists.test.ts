import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activityPaths } from '../../src/sandbox/api/activities.js';
import { activityTypes } from '../../src/sandbox/world/activity-columns.js';
import { textOf } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, drain, ids, rows } from '../support/sandbox-client.js';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'lists',
    leads: 300,
    activities: 2_500,
    rateLimit: 0,
    until: '2026-11-01',
  });
});
afterAll(() => sandbox.stop());

describe('threads of mails', () => {
  it('are given by their ids, too, as all kinds of activities are', async () => {
    const wanted = ids(sandbox.world.emailThreads()).slice(3, 6);
    const named = await ask(sandbox.url, '/activity/emailthread/', { id__in: wanted.join() });
    expect(ids(rows(named)).sort()).toEqual([...wanted].sort());
  });
});

describe('paging', () => {
  it('gives every activity once, the newest first', async () => {
    const found = await drain(sandbox.url, '/activity/');
    expect(ids(found)).toEqual(ids(sandbox.world.activities()).reverse());
    expect(new Set(ids(found)).size).toBe(2_500);
    expect(found).toEqual([...sandbox.world.activities()].reverse());
  });

  it('gives every activity once in ascending order', async () => {
    const found = await drain(sandbox.url, '/activity/', { _order_by: 'date_created' }, 7);
    expect(ids(found)).toEqual(ids(sandbox.world.activities()));
  });

  it('gives every lead once, the last changed first, with the total', async () => {
    const found = await drain(sandbox.url, '/lead/', {}, 200);
    expect(found).toEqual([...sandbox.world.leads({ by: 'date_updated' })].reverse());
    expect((await ask(sandbox.url, '/lead/', { _limit: 1 })).body.total_results).toBe(300);
  });

  it('divides the activities among the lists of their kinds', async () => {
    const { url, world } = sandbox;
    const [one, other] = [...world.leads()];
    world.mergeLeads(textOf(one?.id), textOf(other?.id));
    const custom = [...world.activities()].filter((record) => record._type === 'Custom');
    expect(custom.length).toBeGreaterThan(0);
    const all = ids(custom);
    for (const type of activityTypes) {
      if (type === 'Custom') continue;
      const found = await drain(url, `/activity/${activityPaths[type]}/`);
      expect(found.length, type).toBeGreaterThan(0);
      expect(found.every((record) => record._type === type)).toBe(true);
      all.push(...ids(found));
    }
    expect(all.sort()).toEqual(ids(sandbox.world.activities()).sort());
  });

  it('gives custom activities lead by lead only', async () => {
    expect((await ask(sandbox.url, '/activity/custom/')).status).toBe(400);
    const custom = [...sandbox.world.activities()].filter((record) => record._type === 'Custom');
    const lead_id = textOf(custom[0]?.lead_id);
    const own = custom.filter((record) => record.lead_id === lead_id).reverse();
    expect(await drain(sandbox.url, '/activity/custom/', { lead_id })).toEqual(own);
  });

  it('gives threads in their own list only, and no total for activities', async () => {
    const threads = await drain(sandbox.url, '/activity/emailthread/');
    expect(threads).toEqual([...sandbox.world.emailThreads()].reverse());
    const page = await ask(sandbox.url, '/activity/');
    expect(Object.keys(page.body).sort()).toEqual(['data', 'has_more']);
    const both = await drain(sandbox.url, '/activity/', { thread_emails: 'true' });
    expect(new Set(ids(both)).size).toBe([...sandbox.world.activities()].length + threads.length);
    const email = both.find((record) => record._type === 'Email');
    expect(Object.keys(email ?? {})).not.toContain('body_html');
    const times = both.map((record) => Date.parse(textOf(record.date_created)));
    expect([...times].sort((one, other) => other - one)).toEqual(times);
    const only = await ask(sandbox.url, '/activity/', { thread_emails: 'only' });
    expect(rows(only).every((record) => record._type === 'EmailThread')).toBe(true);
  });

  it('gives contacts, opportunities and tasks whole', async () => {
    const { url, world } = sandbox;
    expect(await drain(url, '/contact/')).toEqual([...world.contacts()].reverse());
    expect(await drain(url, '/opportunity/', { _order_by: 'date_updated' }, 250)).toEqual([
      ...world.opportunities({ by: 'date_updated' }),
    ]);
    const tasks = await drain(url, '/task/', { _type: 'all' }, 1_000);
    expect(tasks.length).toBe([...world.tasks()].length);
    const own = await drain(url, '/task/');
    expect(own.length).toBeLessThan(tasks.length);
    expect(own.every((task) => task._type === 'lead')).toBe(true);
  });

  it('gives tasks of Close’s own another prefix, whatever becomes of them', async () => {
    const { url, world } = sandbox;
    const tasks = await drain(url, '/task/', { _type: 'all' }, 1_000);
    const types = new Set(tasks.map(({ _type }) => _type));
    expect(types.size).toBe(9);
    for (const task of tasks) {
      const isPeoples = task._type === 'lead' || task._type === 'outgoing_call';
      expect(textOf(task.id)).toMatch(isPeoples ? /^task_/ : /^noti_/);
      expect(world.data.tables.tasks.find(textOf(task.id))).toBeDefined();
    }
    const open = tasks.find((task) => task._type === 'missed_call' && task.is_complete === false);
    const done = world.completeTask(textOf(open?.id));
    expect(done).toMatchObject({ id: open?.id, _type: 'missed_call', is_complete: true });
    expect((await ask(url, `/task/${textOf(open?.id)}/`)).body).toEqual(done);
  });

  it('gives transcripts of calls only where they are named', async () => {
    const { url } = sandbox;
    const calls = await drain(url, '/activity/call/');
    expect(calls.some((call) => 'recording_transcript' in call)).toBe(false);
    const named = await drain(url, '/activity/call/', { _fields: 'id,recording_transcript' });
    const recorded = new Set(ids(calls.filter(({ has_recording }) => has_recording === true)));
    expect(recorded.size).toBeGreaterThan(0);
    for (const call of named) {
      expect(call.recording_transcript !== null).toBe(recorded.has(textOf(call.id)));
    }
  });

  it('filters and sorts by what Close documents', async () => {
    const { url, world } = sandbox;
    const ends = { date_won__gte: '2026-03-01', date_won__lt: '2026-06-01' };
    const won = await drain(url, '/opportunity/', { ...ends, _order_by: '-value' }, 250);
    const expected = [...world.opportunities()].filter(
      ({ date_won }) =>
        date_won !== null && textOf(date_won) >= '2026-03-01' && textOf(date_won) < '2026-06-01',
    );
    expect(ids(won).sort()).toEqual(ids(expected).sort());
    const values = won.flatMap(({ value }) => (typeof value === 'number' ? [value] : []));
    expect([...values].sort((one, other) => other - one)).toEqual(values);
    const tasks = await drain(url, '/task/', { _order_by: 'date' }, 1_000);
    const some = ids(tasks).slice(3, 6);
    const named = await ask(url, '/task/', { id__in: some.join() });
    expect(ids(rows(named)).sort()).toEqual([...some].sort());
    expect((await ask(url, '/opportunity/', { _order_by: 'nonsense' })).status).toBe(400);
  });

  it('sums up all matching opportunities on every page', async () => {
    const page = await ask(sandbox.url, '/opportunity/', { status_type: 'won', _limit: 1 });
    const won = [...sandbox.world.opportunities()].filter((one) => one.status_type === 'won');
    expect(page.body.total_results).toBe(won.length);
    const sum = won.reduce((total, one) => total + Number(one.annualized_value), 0);
    expect(page.body.total_value_annualized).toBe(sum);
  });

  it('refuses a page that is too large or too far', async () => {
    expect((await ask(sandbox.url, '/lead/', { _limit: 201 })).status).toBe(400);
    expect((await ask(sandbox.url, '/activity/', { _limit: 101 })).status).toBe(400);
    const capped = await startSandbox({ leads: 1, activities: 0, maxSkip: 500 });
    expect((await ask(capped.url, '/lead/', { _skip: 500 })).status).toBe(200);
    const far = await ask(capped.url, '/lead/', { _skip: 501 });
    expect(far.status).toBe(400);
    expect(far.body).toEqual({
      error:
        'The skip you set is larger than the maximum skip for this resource (max_skip = 500). Please refine your search query.',
    });
    await capped.stop();
  });
});

describe('time windows of activities', () => {
  it('has exact edges, to the microsecond', async () => {
    const { url, world } = sandbox;
    const lead = textOf(world.createLead().id);
    const at = (micros: string): string => `2026-10-15T12:00:00.${micros}+00:00`;
    const made = ['100000', '100001', '100002'].map((micros) =>
      String(world.createActivity('Note', lead, { date_created: at(micros) }).id as string),
    );
    const between = async (filters: Record<string, string>): Promise<string[]> =>
      ids(await drain(url, '/activity/', { ...filters, _order_by: 'date_created' })).filter((id) =>
        made.includes(id),
      );
    expect(await between({ date_created__gte: at('100001') })).toEqual(made.slice(1));
    expect(await between({ date_created__gt: at('100001') })).toEqual(made.slice(2));
    expect(await between({ date_created__lt: at('100001') })).toEqual(made.slice(0, 1));
    expect(await between({ date_created__lte: at('100001') })).toEqual(made.slice(0, 2));
    for (const id of made) world.deleteActivity(id);
  });

  it('half-open windows side by side cover all', async () => {
    const edges = [
      '2015-01-01',
      '2025-12-24',
      '2026-03-01T10:30:00+02:00',
      '2026-09-09',
      '2030-01-01',
    ];
    const found: string[] = [];
    for (const [place, from] of edges.slice(0, -1).entries()) {
      const to = edges[place + 1] ?? '';
      const window = { date_created__gte: from, date_created__lt: to };
      const part = await drain(sandbox.url, '/activity/', window);
      expect(part).toEqual([...sandbox.world.activities({ from, to })].reverse());
      found.push(...ids(part));
    }
    expect(found.sort()).toEqual(ids(sandbox.world.activities()).sort());
  });

  it('reads a time without an offset in the offset of the header', async () => {
    const { url } = sandbox;
    const named = await ask(url, '/activity/', { date_created__lt: '2026-05-05T10:00:00+02:00' });
    const header = { headers: { 'x-tz-offset': '2' } };
    const local = await ask(url, '/activity/', { date_created__lt: '2026-05-05T10:00:00' }, header);
    expect(local.body).toEqual(named.body);
  });

  it('gives the activities of one lead, of one kind', async () => {
    const calls = [...sandbox.world.activities()].filter((record) => record._type === 'Call');
    const lead_id = textOf(calls[0]?.lead_id);
    const expected = calls.filter((record) => record.lead_id === lead_id).reverse();
    expect(await drain(sandbox.url, '/activity/', { lead_id, _type: 'Call' })).toEqual(expected);
    expect(await drain(sandbox.url, '/activity/call/', { lead_id })).toEqual(expected);
  });
});
