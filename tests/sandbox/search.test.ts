import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf, type Json, type JsonObject } from '../../src/sandbox/json.js';
import { activityTypes } from '../../src/sandbox/world/activity-columns.js';
import { activityObjectTypes } from '../../src/sandbox/world/event-recording.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, ids, rows, type Reply } from '../support/sandbox-client.js';

let nowMs = Date.parse('2026-03-01T12:00:00Z');
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'data-search',
    leads: 300,
    activities: 3_000,
    rateLimit: 0,
    until: '2026-03-01T12:00:00Z',
    now: () => new Date(nowMs),
  });
});
afterAll(() => sandbox.stop());

function post(body: Json): Promise<Reply> {
  return ask(sandbox.url, '/data/search/', {}, { method: 'POST', body: JSON.stringify(body) });
}

const of = (object_type: string): JsonObject => ({ type: 'object_type', object_type });
const both = (...queries: JsonObject[]): JsonObject => ({ type: 'and', queries });
const where = (field_name: string, condition: JsonObject): JsonObject => ({
  type: 'field_condition',
  field: { type: 'regular_field', object_type: 'lead', field_name },
  condition,
});
const within = (field_name: string, from?: string, to?: string): JsonObject =>
  where(field_name, {
    type: 'moment_range',
    on_or_after: from === undefined ? null : { type: 'fixed_utc', value: from },
    before: to === undefined ? null : { type: 'fixed_utc', value: to },
  });
const by = (field_name: string, direction = 'asc'): JsonObject => ({
  direction,
  field: { type: 'regular_field', object_type: 'lead', field_name },
});

async function walk(body: JsonObject): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  let cursor: Json = null;
  do {
    const reply: Reply = await post({ ...body, cursor });
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    found.push(...rows(reply));
    cursor = reply.body.cursor ?? null;
  } while (cursor !== null);
  return found;
}

describe('answers', () => {
  it('hold ids only where no fields are named', async () => {
    const reply = await post({ query: of('lead'), _limit: 3 });
    expect(rows(reply).map((row) => Object.keys(row))).toEqual(
      Array.from({ length: 3 }, () => ['__object_type', 'id']),
    );
  });

  it('hold the fields named for the type, and all custom fields for "custom"', async () => {
    const [row] = rows(
      await post({ query: of('lead'), _limit: 1, _fields: { lead: ['id', 'name', 'custom'] } }),
    );
    const lead = sandbox.world.lead(textOf(row?.id)) ?? {};
    const custom = Object.keys(lead).filter((key) => key.startsWith('custom.'));
    expect(Object.keys(row ?? {}).sort()).toEqual(
      ['__object_type', 'id', 'name', ...custom].sort(),
    );
  });

  it('refuse a list of fields that is too long, and unknown ones', async () => {
    const many = Array.from({ length: 101 }, (_, at) => `custom.cf_${String(at)}`);
    const long = await post({ query: of('lead'), _fields: { lead: many } });
    expect(long.status).toBe(400);
    expect(JSON.stringify(long.body)).toContain('List is too long.');
    const unknown = { query: of('lead'), _fields: { lead: ['nonsense'] } };
    expect((await post(unknown)).status).toBe(400);
    const activity = { query: of('activity.note'), _fields: { 'activity.note': ['nonsense'] } };
    expect((await post(activity)).status).toBe(200);
  });

  it('are the same as the lists’, for every type', async () => {
    const { world } = sandbox;
    const all: [string, JsonObject[]][] = [
      ['lead', [...world.leads()]],
      ['contact', [...world.contacts()]],
      ['opportunity', [...world.opportunities()]],
      ['activity.email_thread', [...world.emailThreads()]],
      ['custom_object', world.settings.all('custom_objects')],
    ];
    const activities = [...world.activities()];
    for (const type of activityTypes) {
      if (type === 'LeadMerge') continue;
      all.push([activityObjectTypes[type], activities.filter((one) => one._type === type)]);
    }
    for (const [type, expected] of all) {
      expect(expected.length, type).toBeGreaterThan(0);
      const query = of(type);
      const found = await walk({ query, sort: [by('date_created')], _limit: 200 });
      expect(ids(found).sort(), type).toEqual(ids(expected).sort());
      const keys = Object.keys(expected[0] ?? {}).filter((key) => !/^custom($|\.)/.test(key));
      const fields = { [type]: [...keys, 'custom'] };
      const id = found[0]?.id ?? '';
      const [row] = rows(
        await post({ query: both(query, { type: 'id', value: id }), _fields: fields }),
      );
      const record = { ...expected.find((one) => one.id === id), __object_type: type };
      delete (record as JsonObject).custom;
      expect(row).toEqual(record);
    }
  });

  it('are refused for what cannot be searched', async () => {
    expect((await post({ query: of('user') })).status).toBe(400);
    expect((await post({ query: { type: 'match_all' } })).status).toBe(400);
    expect((await post({ query: { type: 'nonsense' } })).status).toBe(400);
    expect((await post([])).status).toBe(400);
    expect((await ask(sandbox.url, '/data/search/')).status).toBe(405);
  });
});

describe('conditions', () => {
  it('bound times half-open, to the microsecond', async () => {
    const at = (micros: string): string => `2026-02-27T10:00:00.${micros}+00:00`;
    const made = ['000001', '000002', '000003'].map((micros) =>
      textOf(sandbox.world.createLead({ date_created: at(micros) }).id),
    );
    const query = both(of('lead'), within('date_updated', at('000001'), at('000003')));
    const found = await walk({ query, sort: [by('date_updated')] });
    expect(ids(found)).toEqual(made.slice(0, 2));
  });

  it('find changed activities by date_updated, which no list can', async () => {
    const { world } = sandbox;
    const old = [...world.activities()].find((one) => one._type === 'Note') ?? {};
    nowMs += 60_000;
    world.updateActivity(textOf(old.id), { note: 'changed' });
    const since = new Date(nowMs - 1_000).toISOString();
    const query = both(of('activity.note'), within('date_updated', since));
    expect(ids(await walk({ query, sort: [by('date_updated')] }))).toEqual([old.id]);
  });

  it('test values, negate, combine, and reach related records', async () => {
    const { world } = sandbox;
    const leads = [...world.leads()];
    const status = textOf(leads[0]?.status_id);
    const expectLeads = async (
      query: JsonObject,
      test: (lead: JsonObject) => boolean,
    ): Promise<void> => {
      const found = await walk({ query: both(of('lead'), query) });
      expect(ids(found).sort()).toEqual(ids(leads.filter(test)).sort());
    };
    const isStatus = where('status_id', {
      type: 'reference',
      reference_type: 'status.lead',
      object_ids: [status],
    });
    await expectLeads(isStatus, (lead) => lead.status_id === status);
    await expectLeads({ ...isStatus, negate: true }, (lead) => lead.status_id !== status);
    const hasUrl = where('url', { type: 'exists' });
    await expectLeads(
      { type: 'or', queries: [isStatus, hasUrl] },
      (lead) => lead.status_id === status || lead.url !== null,
    );
    const ceo = where('title', { type: 'text', mode: 'full_words', value: 'ceo' });
    await expectLeads(
      {
        type: 'has_related',
        this_object_type: 'lead',
        related_object_type: 'contact',
        related_query: ceo,
      },
      (lead) => (lead.contacts as JsonObject[]).some(({ title }) => title === 'CEO'),
    );
    const [field] = world.data.organization.customFields.lead;
    await expectLeads(
      {
        type: 'field_condition',
        field: { type: 'custom_field', custom_field_id: field?.id ?? '' },
        condition: { type: 'term', values: ['Retail'] },
      },
      (lead) => lead[`custom.${field?.id ?? ''}`] === 'Retail',
    );
  });
});

describe('sorting', () => {
  it('goes both ways, by more than one key', async () => {
    const query = of('lead');
    const up = ids(await walk({ query, sort: [by('date_updated')], _limit: 7 }));
    const down = ids(await walk({ query, sort: [by('date_updated', 'desc')], _limit: 7 }));
    const leads = ids(sandbox.world.leads({ by: 'date_updated' }));
    expect([...up].sort()).toEqual([...leads].sort());
    const times = up.map((id) => textOf(sandbox.world.lead(id)?.date_updated));
    const micros = times.map((time) => time.replace('+00:00', time.includes('.') ? '' : '.000000'));
    expect([...micros].sort()).toEqual(micros);
    expect(new Set(down)).toEqual(new Set(up));
    const named = await walk({
      query,
      sort: [by('status_label'), by('date_created', 'desc')],
      _fields: { lead: ['id', 'status_label', 'date_created'] },
      _limit: 50,
    });
    const labels = named.map((row) => textOf(row.status_label));
    expect([...labels].sort()).toEqual(labels);
    expect(named).toHaveLength(leads.length);
  });

  it('by ids or references is refused', async () => {
    expect((await post({ query: of('lead'), sort: [by('id')] })).status).toBe(400);
    expect((await post({ query: of('lead'), sort: [by('status_id')] })).status).toBe(400);
  });
});

describe('cursors', () => {
  const body = { query: of('lead'), sort: [by('date_updated')], _limit: 10 };

  it('live for 30 seconds', async () => {
    const { cursor = null } = (await post(body)).body;
    nowMs += 30_000;
    expect((await post({ ...body, cursor })).status).toBe(200);
    nowMs += 1;
    const late = await post({ ...body, cursor });
    expect(late.status).toBe(400);
    expect(late.body).toMatchObject({ 'field-errors': { cursor: 'Expired cursor' } });
  });

  it('belong to their query', async () => {
    const { cursor = null } = (await post(body)).body;
    expect((await post({ ...body, query: of('contact'), cursor })).status).toBe(400);
    expect((await post({ ...body, cursor: 'nonsense' })).status).toBe(400);
  });

  it('give a record again that moves to the end of an ascending walk', async () => {
    const first = await post(body);
    const moved = textOf(rows(first)[0]?.id);
    nowMs += 5_000;
    sandbox.world.updateLead(moved, { description: 'moved' });
    const rest = await walk({ ...body, cursor: first.body.cursor ?? null, _limit: 200 });
    const later = await post({ ...body, cursor: first.body.cursor ?? null, _limit: 200 });
    expect(ids([...rest, ...rows(later)])).toContain(moved);
  });

  it('lose a record that moves ahead of a descending walk', async () => {
    const down = { ...body, sort: [by('date_updated', 'desc')], _limit: 200 };
    const all = await walk(down);
    const last = textOf(all.at(-1)?.id);
    const first = await post(down);
    nowMs += 5_000;
    sandbox.world.updateLead(last, { description: 'moved' });
    const rest = await post({ ...down, cursor: first.body.cursor ?? null });
    expect(ids([...rows(first), ...rows(rest)])).not.toContain(last);
  });

  it('end after 10,000 results', async () => {
    // A walk that long would take a minute: the cursor itself says how far it is.
    const many = { query: of('activity.call'), sort: [by('date_created')], _limit: 200 };
    const page = await post({ ...many, _limit: 1 });
    const position = JSON.parse(
      Buffer.from(textOf(page.body.cursor), 'base64url').toString(),
    ) as JsonObject;
    const near = Buffer.from(JSON.stringify({ ...position, served: 9_990 }));
    const last = await post({ ...many, cursor: near.toString('base64url') });
    expect(rows(last)).toHaveLength(10);
    const cursor = last.body.cursor ?? null;
    expect(cursor).not.toBeNull();
    const past = await post({ ...many, cursor });
    expect(past.status).toBe(400);
    expect(Object.keys(past.body['field-errors'] as object)).toEqual(['cursor']);
  });
});

describe('limits', () => {
  it('of the results end the walk, and give counts alone', async () => {
    const total = [...sandbox.world.leads()].length;
    const none = await post({ query: of('lead'), results_limit: 0, include_counts: true });
    expect(none.body).toEqual({ data: [], cursor: null, count: { limited: 0, total } });
    const some = await walk({ query: of('lead'), results_limit: 25, _limit: 10 });
    expect(some).toHaveLength(25);
    const query = both(of('lead'), within('date_created', '2025-09-01', '2025-12-01'));
    const counted = await post({ query, include_counts: true, _limit: 1 });
    const expected = [...sandbox.world.leads({ from: '2025-09-01', to: '2025-12-01' })].length;
    expect(counted.body.count).toMatchObject({ total: expected });
  });

  it('of a page are refused above the ceiling', async () => {
    expect((await post({ query: of('lead'), _limit: 201 })).status).toBe(400);
  });

  it('leave _skip alone', async () => {
    const plain = await post({ query: of('lead') });
    expect((await post({ query: of('lead'), _skip: 5 })).body.data).toEqual(plain.body.data);
  });
});
