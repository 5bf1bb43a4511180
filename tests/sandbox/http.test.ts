import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnknownFaultError } from '../../src/sandbox/api/faults.js';
import { textOf } from '../../src/sandbox/json.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, basic, rows } from '../support/sandbox-client.js';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ seed: 'http', leads: 40, activities: 300, rateLimit: 0 });
});
afterAll(() => sandbox.stop());

describe('who is let in', () => {
  it.each([
    ['no header', ''],
    ['another scheme', 'Bearer api_test'],
    ['a key of another form', basic('key_test')],
    ['a password', basic('api_test', 'secret')],
  ])('answers 401 in the words of Close: %s', async (_, authorization) => {
    const reply = await ask(sandbox.url, '/me/', {}, { headers: { authorization } });
    expect(reply.status).toBe(401);
    expect(reply.body.error).toMatch(/^The server could not verify that you are authorized/);
  });

  it('knows one key only when it is told one, and another when it is told so', async () => {
    const strict = await startSandbox({ leads: 1, activities: 0, apiKey: 'api_one' });
    const init = { headers: { authorization: basic('api_one') } };
    expect((await ask(strict.url, '/me/', {}, init)).status).toBe(200);
    expect((await ask(strict.url, '/me/')).status).toBe(401);
    strict.setApiKey('api_other');
    expect((await ask(strict.url, '/me/', {}, init)).status).toBe(401);
    strict.setApiKey(null);
    expect((await ask(strict.url, '/me/')).status).toBe(200);
    await strict.stop();
  });
});

describe('addresses', () => {
  it('redirects to the form with a slash and keeps the parameters', async () => {
    const reply = await ask(sandbox.url, '/lead', { _limit: 1 });
    expect(reply.status).toBe(301);
    expect(reply.headers.get('location')).toBe('/api/v1/lead/?_limit=1');
  });

  it('answers 404 for what there is not, with the text of the item', async () => {
    expect((await ask(sandbox.url, '/nonsense/')).status).toBe(404);
    const reply = await ask(sandbox.url, '/lead/wibble/');
    expect(reply.status).toBe(404);
    expect(reply.body).toEqual({ error: 'Empty query: Lead matching query does not exist.' });
  });

  it('answers 405 for a method that the path does not have', async () => {
    expect((await ask(sandbox.url, '/lead/', {}, { method: 'DELETE' })).status).toBe(405);
  });

  it('gives every list of settings, and one item by id', async () => {
    const lists = ['user', 'status/lead', 'status/opportunity', 'pipeline', 'role'];
    lists.push('custom_field/lead', 'custom_field/contact', 'custom_field/opportunity');
    lists.push('custom_field/activity');
    for (const list of lists) {
      const reply = await ask(sandbox.url, `/${list}/`);
      expect(rows(reply).length, list).toBeGreaterThan(0);
      expect(reply.body.has_more).toBe(false);
      const [first] = rows(reply);
      const item = await ask(sandbox.url, `/${list}/${textOf(first?.id)}/`);
      expect(item.body).toEqual(first);
    }
    const me = await ask(sandbox.url, '/me/');
    const [organization] = me.body.organizations as { id: string }[];
    const reply = await ask(sandbox.url, `/organization/${organization?.id ?? ''}/`);
    expect(reply.body.id).toBe(organization?.id);
  });
});

describe('parameters', () => {
  it('ignores unknown ones in silence', async () => {
    const plain = await ask(sandbox.url, '/activity/');
    const odd = await ask(sandbox.url, '/activity/', {
      date_updated__gte: '2090-01-01',
      nonsense: 1,
    });
    expect(odd.body).toEqual(plain.body);
  });

  it('takes a GET tunnelled through POST', async () => {
    const parameters = { _limit: 3, _skip: 2, _fields: 'id' };
    const tunnelled = await ask(
      sandbox.url,
      '/lead/',
      {},
      {
        method: 'POST',
        headers: { 'x-http-method-override': 'GET', 'content-type': 'application/json' },
        body: JSON.stringify({ _params: parameters }),
      },
    );
    expect(tunnelled.body).toEqual((await ask(sandbox.url, '/lead/', parameters)).body);
    expect(rows(tunnelled).map((row) => Object.keys(row))).toEqual([['id'], ['id'], ['id']]);
  });

  it('refuses an address that is too long, and takes it tunnelled', async () => {
    const id__in = Array.from({ length: 60 }, (_, at) => `acti_${String(at).repeat(20)}`).join();
    expect((await ask(sandbox.url, '/activity/', { id__in })).status).toBe(414);
    const headers = { 'x-http-method-override': 'GET' };
    const body = JSON.stringify({ _params: { id__in } });
    const tunnelled = await ask(sandbox.url, '/activity/', {}, { method: 'POST', headers, body });
    expect([tunnelled.status, rows(tunnelled)]).toEqual([200, []]);
  });

  it('refuses a tunnelled body that is no JSON, and any other POST to a list', async () => {
    const headers = { 'x-http-method-override': 'GET' };
    const broken = await ask(sandbox.url, '/lead/', {}, { method: 'POST', headers, body: '{' });
    expect(broken.status).toBe(400);
    const plain = await ask(sandbox.url, '/lead/', {}, { method: 'POST', body: '{}' });
    expect(plain.status).toBe(405);
    const empty = await ask(sandbox.url, '/lead/', {}, { method: 'POST', headers });
    expect(empty.body).toEqual((await ask(sandbox.url, '/lead/')).body);
  });

  it('gives all custom fields for the one name "custom"', async () => {
    const [lead] = rows(await ask(sandbox.url, '/lead/', { _limit: 1, _fields: 'id,custom' }));
    const keys = Object.keys(lead ?? {});
    expect(keys).toContain('custom');
    expect(
      keys.filter((key) => !['id', 'custom'].includes(key) && !key.startsWith('custom.')),
    ).toEqual([]);
  });

  it.each(['user_id', 'contact_id', '_type'])(
    'wants a lead_id with %s on /activity/',
    async (name) => {
      expect((await ask(sandbox.url, '/activity/', { [name]: 'x' })).status).toBe(400);
      const [lead] = [...sandbox.world.leads()];
      const lead_id = textOf(lead?.id);
      expect((await ask(sandbox.url, '/activity/', { [name]: 'x', lead_id })).status).toBe(200);
    },
  );

  it('names a bad value as a field error', async () => {
    const reply = await ask(sandbox.url, '/activity/', { date_created__gte: 'yesterday' });
    expect(reply.status).toBe(400);
    expect(Object.keys(reply.body['field-errors'] as object)).toEqual(['date_created__gte']);
  });
});

describe('rate limit', () => {
  it('counts down in the header, refuses with 429, and starts again with the window', async () => {
    let clockMs = 0;
    const limited = await startSandbox({
      leads: 2,
      activities: 0,
      rateLimit: 2,
      clockMs: () => clockMs,
    });
    const first = await ask(limited.url, '/lead/');
    expect(first.headers.get('ratelimit')).toBe('limit=2, remaining=1, reset=1');
    await ask(limited.url, '/lead/');
    const refused = await ask(limited.url, '/lead/');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit')).toBe('limit=2, remaining=0, reset=1');
    expect(refused.headers.get('retry-after')).toBe('1');
    const otherKey = { headers: { authorization: basic('api_other') } };
    expect((await ask(limited.url, '/lead/', {}, otherKey)).status).toBe(200);
    expect((await ask(limited.url, '/user/')).status).toBe(200);
    clockMs = 1_000;
    expect((await ask(limited.url, '/lead/')).status).toBe(200);
    const stats = limited.stats();
    expect(stats.rejectedByRateLimit).toBe(1);
    expect(stats.byPath).toEqual({ 'GET /lead/': 5, 'GET /user/': 1 });
    expect(stats.requests).toBe(6);
    await limited.stop();
  });
});

describe('faults', () => {
  it.each([
    ['rate-limit-storm=2', 429],
    ['server-error=2', 500],
  ])('%s strikes every second request', async (fault, status) => {
    const faulty = await startSandbox({ leads: 1, activities: 0, faults: [fault] });
    const seen = [];
    for (let count = 0; count < 4; count++) seen.push((await ask(faulty.url, '/lead/')).status);
    expect(seen).toEqual([200, status, 200, status]);
    expect(faulty.stats().faults).toBe(2);
    await faulty.stop();
  });

  it('cut-body breaks off in the middle of the answer', async () => {
    const faulty = await startSandbox({ leads: 50, activities: 0, faults: ['cut-body=1'] });
    await expect(ask(faulty.url, '/lead/')).rejects.toThrow();
    expect(faulty.stats()).toMatchObject({ faults: 1, byStatus: { 200: 1 }, records: 50 });
    await faulty.stop();
  });

  it.each([
    ['forbidden=/activity/', 403, 200],
    ['not-found=/activity/', 404, 200],
    ['unauthorized', 401, 401],
  ])('%s strikes below its path until it is taken away', async (fault, struck, other) => {
    const faulty = await startSandbox({ leads: 1, activities: 4 });
    const statuses = async (): Promise<number[]> => {
      const paths = ['/activity/', '/activity/note/', '/lead/'];
      const replies = await Promise.all(paths.map((path) => ask(faulty.url, path)));
      return replies.map(({ status }) => status);
    };
    expect(await statuses()).toEqual([200, 200, 200]);
    faulty.setFaults([fault]);
    expect(await statuses()).toEqual([struck, struck, other]);
    faulty.setFaults([]);
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(faulty.stats().faults).toBe(other === 200 ? 2 : 3);
    expect(faulty.stats().byPath['GET /activity/note/']).toBe(3);
    await faulty.stop();
  });

  it('keeps the faults that it has when it is given one that it does not know', async () => {
    const faulty = await startSandbox({ leads: 1, activities: 0, faults: ['unauthorized'] });
    for (const fault of ['earthquake', 'forbidden', 'slow=0', 'unauthorized=1']) {
      expect(() => {
        faulty.setFaults([fault]);
      }, fault).toThrow(UnknownFaultError);
    }
    expect((await ask(faulty.url, '/lead/')).status).toBe(401);
    await faulty.stop();
  });
});
