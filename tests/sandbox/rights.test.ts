import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, basic, drain, ids, rows } from '../support/sandbox-client.js';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    seed: 'rights',
    leads: 120,
    activities: 900,
    rateLimit: 0,
    roles: { api_user: 'user' },
  });
});
afterAll(() => sandbox.stop());
afterEach(() => {
  sandbox.setRole('admin');
});

describe('a key', () => {
  it('has the rights of its user, whom /me/ names', async () => {
    const who = async (key: string): Promise<JsonObject> =>
      (await ask(sandbox.url, '/me/', {}, { headers: { authorization: basic(key) } })).body;
    const [admin, user] = [await who('api_admin'), await who('api_user')];
    expect((admin.memberships as JsonObject[])[0]?.role_id).toBe('admin');
    expect((user.memberships as JsonObject[])[0]?.role_id).toBe('user');
    expect(user.id).not.toBe(admin.id);
  });

  it.each(['/export/', '/bulk_action/email/', '/webhook/', '/blocked_phone_number/'])(
    'of a user gets 403 from %s',
    async (path) => {
      expect((await ask(sandbox.url, path)).status).toBe(200);
      sandbox.setRole('user');
      expect((await ask(sandbox.url, path)).status).toBe(403);
    },
  );

  it('of a user sees his own smart views and mailboxes, not the administrator’s', async () => {
    const read = async (): Promise<string[]> =>
      ids([
        ...rows(await ask(sandbox.url, '/saved_search/')),
        ...rows(await ask(sandbox.url, '/connected_account/')),
      ]);
    const admin = await read();
    sandbox.setRole('user');
    expect(await read()).not.toEqual(admin);
  });

  it('of a user is not told what the organization pays', async () => {
    const keys = async (): Promise<string[]> => {
      const [organization] = (await ask(sandbox.url, '/me/')).body.organizations as JsonObject[];
      const path = `/organization/${textOf(organization?.id)}/`;
      const { body } = await ask(sandbox.url, path);
      return [...Object.keys(organization ?? {}), ...Object.keys(body)];
    };
    expect(await keys()).toContain('billing_account_id');
    sandbox.setRole('user');
    expect(await keys()).not.toContain('billing_account_id');
  });

  it('of a restricted user gets 403 from the event log and the custom fields', async () => {
    sandbox.setRole('restricteduser');
    expect((await ask(sandbox.url, '/event/')).status).toBe(403);
    expect((await ask(sandbox.url, '/custom_field/lead/')).status).toBe(403);
  });
});

describe('a role that hides leads', () => {
  it('hides all below them, in every list, by id and in searches', async () => {
    const { url, world } = sandbox;
    const all = ids(world.leads());
    sandbox.setRole('restricteduser');
    const visible = new Set(ids(await drain(url, '/lead/')));
    expect(visible.size).toBeGreaterThan(10);
    expect(visible.size).toBeLessThan(all.length / 2);
    const lists = ['/contact/', '/opportunity/', '/activity/', '/activity/emailthread/'];
    for (const path of lists) {
      const found = await drain(url, path);
      expect(found.length, path).toBeGreaterThan(0);
      expect(
        found.every((one) => visible.has(textOf(one.lead_id))),
        path,
      ).toBe(true);
    }
    const tasks = await drain(url, '/task/', { _type: 'all' });
    expect(tasks.every((one) => visible.has(textOf(one.lead_id)))).toBe(true);
    const hidden = all.find((id) => !visible.has(id)) ?? '';
    expect((await ask(url, `/lead/${hidden}/`)).status).toBe(404);
    const contact = [...world.contacts()].find((one) => !visible.has(textOf(one.lead_id)));
    expect((await ask(url, `/contact/${textOf(contact?.id)}/`)).status).toBe(404);
    const body = JSON.stringify({
      query: { type: 'object_type', object_type: 'lead' },
      include_counts: true,
      _limit: 200,
    });
    const search = await ask(url, '/data/search/', {}, { method: 'POST', body });
    expect(new Set(ids(rows(search)))).toEqual(visible);
    expect(search.body.count).toMatchObject({ total: visible.size });
  });
});
