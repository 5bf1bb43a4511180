import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settingLists } from '../../src/sandbox/api/setting-lists.js';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { smartViewTypes } from '../../src/sandbox/records/settings/automation.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, drain, ids, rows } from '../support/sandbox-client.js';

let nowMs = Date.parse('2026-03-01T12:00:00Z');
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'settings',
    leads: 150,
    activities: 600,
    rateLimit: 0,
    until: '2026-03-01T12:00:00Z',
    now: () => new Date((nowMs += 10_000)),
  });
});
afterAll(() => sandbox.stop());

async function list(
  path: string,
  parameters: Record<string, string | number> = {},
): Promise<JsonObject[]> {
  const reply = await ask(sandbox.url, path, parameters);
  expect(reply.status, `${path} ${JSON.stringify(reply.body)}`).toBe(200);
  return rows(reply);
}

async function eventsOf(id: string): Promise<string[]> {
  const found = [...sandbox.world.events()].filter((event) => event.object_id === id);
  return Promise.resolve(
    found.map((event) => `${textOf(event.object_type)} ${textOf(event.action)}`),
  );
}

describe('every list', () => {
  it.each(settingLists.filter((one) => !one.requires).map((one) => one.path))(
    '%s pages, cuts down to _fields, and gives one by id',
    async (path) => {
      const all = await list(path);
      expect(all.length).toBeGreaterThan(0);
      expect(ids(await drain(sandbox.url, path, {}, 1))).toEqual(ids(all));
      expect(await list(path, { _fields: 'id' })).toEqual(all.map(({ id }) => ({ id })));
      const [first] = all;
      const item = await ask(sandbox.url, `${path}${textOf(first?.id)}/`);
      expect(item.body).toMatchObject(first ?? {});
      expect((await ask(sandbox.url, `${path}nobody/`)).status).toBe(404);
    },
  );

  it.each(settingLists.filter((one) => one.requires).map((one) => [one.path, one] as const))(
    '%s refuses to give all',
    async (path, { name, requires }) => {
      expect((await ask(sandbox.url, path)).status).toBe(400);
      const [record] = sandbox.world.settings.all(name);
      const [field = ''] = requires?.of ?? [];
      const found = await list(path, { [field]: textOf(record?.[field]) });
      expect(ids(found)).toContain(record?.id);
      expect(found.every((one) => one[field] === record?.[field])).toBe(true);
      const all = sandbox.world.settings.all(name);
      expect(found.length).toBe(all.filter((one) => one[field] === record?.[field]).length);
      expect(found.length).toBeLessThan(all.length);
    },
  );

  it('is a different one for another seed, and the same for the same', async () => {
    const other = await startSandbox({ seed: 'else', leads: 1, activities: 0, rateLimit: 0 });
    const same = await startSandbox({ seed: 'else', leads: 1, activities: 0, rateLimit: 0 });
    const read = async ({ url }: Sandbox): Promise<string[]> =>
      ids(rows(await ask(url, '/sequence/')));
    expect(await read(other)).toEqual(await read(same));
    expect(await read(other)).not.toEqual(await read(sandbox));
    await Promise.all([other.stop(), same.stop()]);
  });
});

describe('traps of single lists', () => {
  it('groups have members only one by one', async () => {
    const [group] = await list('/group/');
    expect(Object.keys(group ?? {})).not.toContain('members');
    const { body } = await ask(sandbox.url, `/group/${textOf(group?.id)}/`);
    expect((body.members as object[]).length).toBeGreaterThan(0);
  });

  it('smart views are of leads only, unless others are asked for', async () => {
    const leads = await list('/saved_search/');
    expect(new Set(leads.map(({ type }) => type))).toEqual(new Set(['lead']));
    const all = await list('/saved_search/', { type__in: smartViewTypes.join() });
    expect(new Set(all.map(({ type }) => type))).toEqual(new Set(smartViewTypes));
    const every = sandbox.world.settings.all('smart_views');
    expect(all.length).toBe(every.length - 1);
  });

  it('archived templates need a call of their own', async () => {
    for (const path of ['/email_template/', '/sms_template/']) {
      const living = await list(path);
      const archived = await list(path, { is_archived: 'true' });
      expect(archived.length, path).toBeGreaterThan(0);
      expect(living.every((one) => one.is_archived === false)).toBe(true);
      expect(archived.every((one) => one.is_archived === true)).toBe(true);
    }
  });

  it('users are the active members; the others are in the organization', async () => {
    const users = await list('/user/');
    const me = await ask(sandbox.url, '/me/');
    const [{ id } = { id: '' }] = me.body.organizations as { id: string }[];
    const { body } = await ask(sandbox.url, `/organization/${id}/`, {
      _expand: 'memberships__user,inactive_memberships__user',
    });
    const memberships = body.memberships as JsonObject[];
    const inactive = body.inactive_memberships as JsonObject[];
    expect(memberships.map(({ user_id }) => user_id)).toEqual(ids(users));
    expect(memberships.map(({ user }) => user)).toEqual(users);
    expect(inactive.length).toBeGreaterThan(0);
    expect(inactive.every(({ user_id }) => !ids(users).includes(textOf(user_id)))).toBe(true);
    expect((await ask(sandbox.url, '/membership/')).status).toBe(404);
  });

  it('statuses and pipelines come whole, whatever page is asked for', async () => {
    for (const path of ['/status/lead/', '/status/opportunity/', '/pipeline/']) {
      expect(await list(path, { _limit: 1, _skip: 1 })).toEqual(await list(path));
    }
  });

  it('connected accounts and send-as are those of the key’s own user', async () => {
    const me = textOf((await ask(sandbox.url, '/me/')).body.id);
    const accounts = await list('/connected_account/');
    expect(accounts.every((one) => one.user_id === me)).toBe(true);
    expect(accounts.length).toBeLessThan(sandbox.world.settings.all('connected_accounts').length);
    expect((await list('/send_as/')).length).toBeLessThan(
      sandbox.world.settings.all('send_as').length,
    );
  });

  it('built-in roles have bare words as ids, beside a real one, and year 1', async () => {
    const roles = await list('/role/');
    expect(ids(roles).filter((id) => !id.startsWith('role_'))).toEqual([
      'admin',
      'superuser',
      'user',
      'restricteduser',
    ]);
    expect(roles[0]?.date_created).toBe('0001-01-01T00:00:00');
    expect(roles.length).toBe(5);
  });

  it('sequences name people by created_by_id; playbooks are dated created_at', async () => {
    const [sequence] = await list('/sequence/');
    expect(Object.keys(sequence ?? {})).toContain('created_by_id');
    expect(Object.keys(sequence ?? {})).not.toContain('created_by');
    const [playbook] = await list('/playbook/');
    expect(playbook?.created_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+$/);
  });

  it('webhooks never show their signature key', async () => {
    for (const webhook of await list('/webhook/')) {
      expect(Object.keys(webhook)).not.toContain('signature_key');
    }
  });
});

describe('custom fields', () => {
  it('list shared ones under each family, and once for themselves', async () => {
    const shared = await list('/custom_field/shared/');
    expect(shared.length).toBe(2);
    for (const field of shared) {
      const families = (field.associations as JsonObject[]).map(({ object_type }) => object_type);
      for (const family of families) {
        const fields = await list(`/custom_field/${textOf(family)}/`);
        expect(fields.find(({ id }) => id === field.id)).toMatchObject({ is_shared: true });
      }
    }
  });

  it('have every type, and values that fit', async () => {
    const families = ['lead', 'contact', 'opportunity', 'activity', 'custom_object_type'];
    const fields = (await Promise.all(families.map((one) => list(`/custom_field/${one}/`)))).flat();
    expect(new Set(fields.map(({ type }) => type))).toEqual(
      new Set([
        ...['text', 'textarea', 'number', 'date', 'datetime', 'choices', 'user', 'contact'],
        ...['custom_object', 'hidden'],
      ]),
    );
    const byId = new Map(fields.map((field) => [`custom.${textOf(field.id)}`, field]));
    const { world } = sandbox;
    const records = [...world.leads(), ...world.contacts(), ...world.opportunities()];
    records.push(...world.activities(), ...world.settings.all('custom_objects'));
    const seen = new Set<unknown>();
    for (const record of records) {
      for (const [key, value] of Object.entries(record)) {
        if (!key.startsWith('custom.')) continue;
        const field = byId.get(key);
        expect(Array.isArray(value), key).toBe(field?.accepts_multiple_values);
        seen.add(field?.type);
      }
    }
    expect(seen.size).toBe(10);
  });

  it('are told in order by their schema, as "fields"', async () => {
    const { body } = await ask(sandbox.url, '/custom_field_schema/lead/');
    expect(body.fields).toEqual(await list('/custom_field/lead/'));
    const { activityTypeId } = sandbox.world.data.organization;
    const activity = await ask(sandbox.url, `/custom_field_schema/activity/${activityTypeId}/`);
    expect(activity.body.fields).toEqual(await list('/custom_field/activity/'));
    expect((await ask(sandbox.url, '/custom_field_schema/activity/actitype_x/')).status).toBe(404);
  });

  it('stand in the types of custom activities and objects', async () => {
    const [type] = await list('/custom_activity/');
    expect(type?.fields).toEqual(await list('/custom_field/activity/'));
    const [machine] = await list('/custom_object_type/');
    expect(machine?.fields).toEqual(await list('/custom_field/custom_object_type/'));
    expect((machine?.back_reference_fields as object[]).length).toBe(1);
  });

  it('renamed: another key in the old form, the same in the new, no new date_updated', async () => {
    const { world } = sandbox;
    const [field] = await list('/custom_field/lead/');
    const key = `custom.${textOf(field?.id)}`;
    const lead = [...world.leads()].find((one) => key in one) ?? {};
    world.settings.updateCustomField('lead', textOf(field?.id), { name: 'Renamed' });
    const after = world.lead(textOf(lead.id));
    expect(after?.[key]).toEqual(lead[key]);
    expect(after?.date_updated).toBe(lead.date_updated);
    expect((after?.custom as JsonObject).Renamed).toEqual(lead[key]);
    expect(Object.keys(after?.custom as JsonObject)).not.toContain(field?.name);
    expect(await eventsOf(textOf(field?.id))).toEqual(['custom_fields.lead updated']);
  });

  it('retyped: values of the new type, and those that do not fit are gone', () => {
    const { world } = sandbox;
    const field = world.data.organization.customFields.lead.find((one) => one.name === 'Employees');
    const key = `custom.${field?.id ?? ''}`;
    const lead = [...world.leads()].find((one) => key in one) ?? {};
    expect(typeof lead[key]).toBe('number');
    world.settings.updateCustomField('lead', field?.id ?? '', { type: 'text' });
    expect(world.lead(textOf(lead.id))?.[key]).toBe(JSON.stringify(lead[key]));
    world.settings.updateCustomField('lead', field?.id ?? '', { type: 'date' });
    expect(world.lead(textOf(lead.id))).not.toHaveProperty([key]);
  });

  it('made, set and deleted: its values leave all answers at once', async () => {
    const { world } = sandbox;
    const field = world.settings.createCustomField('lead', { name: 'New', type: 'number' });
    const key = `custom.${textOf(field.id)}`;
    const id = textOf(world.createLead({ [key]: 5 }).id);
    expect(world.lead(id)).toMatchObject({ [key]: 5, custom: { New: 5 } });
    const { date_updated } = world.lead(id) ?? {};
    world.settings.deleteCustomField('lead', textOf(field.id));
    expect(world.lead(id)).not.toHaveProperty([key]);
    expect(world.lead(id)?.date_updated).toBe(date_updated);
    expect(ids(await list('/custom_field/lead/'))).not.toContain(field.id);
    expect(await eventsOf(textOf(field.id))).toEqual([
      'custom_fields.lead created',
      'custom_fields.lead deleted',
    ]);
  });

  it('deleted: the values that it always had are gone, too, and no others change', () => {
    const { world } = sandbox;
    const field = world.data.organization.customFields.lead.find(
      ({ name }) => name === 'Background',
    );
    const key = `custom.${field?.id ?? ''}`;
    const before = [...world.leads()];
    expect(before.some((lead) => key in lead)).toBe(true);
    world.settings.deleteCustomField('lead', field?.id ?? '');
    const after = [...world.leads()];
    for (const lead of before) {
      delete lead[key];
      delete (lead.custom as JsonObject).Background;
    }
    expect(after).toEqual(before);
  });

  it('of one name on leads lose one of them in the old form', () => {
    const { world } = sandbox;
    const one = world.settings.createCustomField('lead', { name: 'Twin' });
    const other = world.settings.createCustomField('lead', { name: 'Twin' });
    const values = { [`custom.${textOf(one.id)}`]: 'a', [`custom.${textOf(other.id)}`]: 'b' };
    const lead = world.createLead(values);
    expect(lead).toMatchObject(values);
    expect((lead.custom as JsonObject).Twin).toBe('b');
  });
});

describe('changes of settings', () => {
  it('are in the list at once, in the log and in the ledger', async () => {
    const { world } = sandbox;
    const made = world.settings.create('email_templates', { name: 'New', is_archived: false });
    const id = textOf(made.id);
    expect(ids(await list('/email_template/'))).toContain(id);
    const changed = world.settings.update('email_templates', id, { name: 'Newer' });
    world.settings.delete('email_templates', id);
    expect(ids(await list('/email_template/'))).not.toContain(id);
    expect(world.versions(id)).toEqual([made, changed]);
    expect(world.deletions().at(-1)).toMatchObject({ table: 'email_templates', id });
    expect(await eventsOf(id)).toEqual([
      'email_template created',
      'email_template updated',
      'email_template deleted',
    ]);
    expect(ids(world.settingVersions('email_templates')).filter((one) => one === id)).toHaveLength(
      2,
    );
  });

  it('of which the log tells nothing are told nowhere', async () => {
    const link = sandbox.world.settings.create('integration_links', { name: 'X', type: 'lead' });
    expect(await eventsOf(textOf(link.id))).toEqual([]);
  });

  it('rename the copies of labels and names without touching their holders', () => {
    const { world } = sandbox;
    const lead = [...world.leads()][0] ?? {};
    world.settings.renameLeadStatus(textOf(lead.status_id), 'Relabelled');
    world.settings.renameUser(textOf(lead.created_by), 'Nova', 'Name');
    expect(world.lead(textOf(lead.id))).toMatchObject({
      status_label: 'Relabelled',
      created_by_name: 'Nova Name',
      date_updated: lead.date_updated,
    });
  });

  it('give another currency to every opportunity, and say nothing', () => {
    const { world } = sandbox;
    const deal = [...world.opportunities()][0] ?? {};
    const told = [...world.events()].length;
    world.settings.setCurrency('EUR');
    const after = [...world.opportunities()][0];
    expect(after).toEqual({ ...deal, value_currency: 'EUR' });
    expect([...world.events()].length).toBe(told);
  });

  it('end a membership without deleting the user', async () => {
    const { world } = sandbox;
    const user = (await list('/user/')).at(-1);
    const id = textOf(user?.id);
    world.settings.deactivateUser(id);
    expect(ids(await list('/user/'))).not.toContain(id);
    const { membershipId } = world.data.organization.users.find((one) => one.id === id) ?? {};
    expect(await eventsOf(membershipId ?? '')).toEqual(['membership deactivated']);
    world.settings.activateUser(id);
    expect(ids(await list('/user/'))).toContain(id);
  });

  it('of small records follow their lead when it goes or goes into another', async () => {
    const { world } = sandbox;
    const [first, second] = world.settings
      .all('custom_objects')
      .filter((one, at, all) => all.findIndex((other) => other.lead_id === one.lead_id) === at);
    world.deleteLead(textOf(first?.lead_id));
    expect((await ask(sandbox.url, `/custom_object/${textOf(first?.id)}/`)).status).toBe(404);
    expect(await eventsOf(textOf(first?.id))).toEqual(['custom_object deleted']);
    const destination = textOf(world.createLead().id);
    world.mergeLeads(textOf(second?.lead_id), destination);
    const moved = await ask(sandbox.url, `/custom_object/${textOf(second?.id)}/`);
    expect(moved.body.lead_id).toBe(destination);
    expect(ids(await list('/custom_object/', { lead_id: destination }))).toContain(second?.id);
    expect(await eventsOf(textOf(second?.id))).toEqual(['custom_object updated']);
  });

  it('by a bulk delete are told as an action of its own', async () => {
    const id = sandbox.world.bulkDeleteLeads([textOf(sandbox.world.createLead().id)]);
    const { body } = await ask(sandbox.url, `/bulk_action/delete/${id}/`);
    expect(body).toMatchObject({ status: 'done', n_leads: 1, n_leads_processed: 1 });
    expect(await eventsOf(id)).toEqual([
      'bulk_action.delete created',
      'bulk_action.delete completed',
    ]);
  });
});
