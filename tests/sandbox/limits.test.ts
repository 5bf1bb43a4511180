import { afterEach, describe, expect, it } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { ask, basic, type Reply } from '../support/sandbox-client.js';

const started: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((sandbox) => sandbox.stop()));
});
async function limited(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = await startSandbox({ leads: 2, activities: 0, clockMs: () => 404, ...options });
  started.push(sandbox);
  return sandbox;
}
function as(sandbox: Sandbox, key: string, path = '/lead/'): Promise<Reply> {
  return ask(sandbox.url, path, {}, { headers: { authorization: basic(key) } });
}

describe('the layers of the limit', () => {
  it('an organization has three times that of a key', async () => {
    const sandbox = await limited({ rateLimit: 2 });
    const statuses: number[] = [];
    for (const key of ['api_a', 'api_b', 'api_c', 'api_d']) {
      for (let count = 0; count < 2; count++) statuses.push((await as(sandbox, key)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
  });

  it('heavy groups have less, and each group counts for itself', async () => {
    const sandbox = await limited({ rateLimit: 4 });
    const search = (): Promise<Reply> =>
      ask(
        sandbox.url,
        '/data/search/',
        {},
        { method: 'POST', body: '{"query": {"type": "object_type", "object_type": "lead"}}' },
      );
    expect((await search()).headers.get('ratelimit')).toBe('limit=2, remaining=1, reset=1');
    expect((await search()).status).toBe(200);
    expect((await search()).status).toBe(429);
    expect((await as(sandbox, 'api_test')).headers.get('ratelimit')).toBe(
      'limit=4, remaining=3, reset=1',
    );
  });
});

describe('the forms in which a limit is told', () => {
  const refused = async (...faults: string[]): Promise<Reply> => {
    const sandbox = await limited({ rateLimit: 1, faults });
    await as(sandbox, 'api_a');
    return as(sandbox, 'api_a');
  };
  it.each([
    ['structured', { ratelimit: 'limit=1, remaining=0, reset=1', 'retry-after': '1' }],
    [
      'fractional',
      {
        'x-rate-limit-limit': '8',
        'x-rate-limit-remaining': '0',
        'x-rate-limit-reset': '1.000000',
      },
    ],
    ['split', { 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'ratelimit-reset': '1' }],
    ['layers', { 'x-ratelimit-limit': '1, 1;w=1, 3;w=1', 'x-rate-limit-reset': '1.000000' }],
    ['reset-only', { 'retry-after': '1' }],
    ['none', {}],
  ])('headers: %s', async (form, expected) => {
    const { headers, status } = await refused(`rate-limit-headers=${form}`);
    expect(status).toBe(429);
    for (const [name, value] of Object.entries(expected)) expect(headers.get(name)).toBe(value);
    const told = [...headers.keys()].filter((name) => /rate-?limit|retry/.test(name));
    if (form === 'none') expect(told).toEqual([]);
    else expect(told.length).toBeGreaterThanOrEqual(Object.keys(expected).length);
  });

  it.each([
    ['object', {}],
    ['flat', { rate_limit: 1, rate_limit_type: 'key', rate_reset: '1.000000' }],
    ['nested', { error: { rate_limit: 1, rate_reset: '1.000000' } }],
    ['html', { text: '<html><body><h1>429 Too Many Requests</h1></body></html>' }],
    ['empty', { text: '' }],
  ])('body: %s', async (form, expected) => {
    expect((await refused(`rate-limit-body=${form}`)).body).toMatchObject(expected);
  });

  it.each(['-5', '1e9', 'soon'])('seconds that are none: %s', async (reset) => {
    const { headers } = await refused(`rate-limit-reset=${reset}`);
    expect(headers.get('ratelimit')).toBe(`limit=1, remaining=0, reset=${reset}`);
    expect(headers.get('retry-after')).toBe(reset);
  });

  it('a storm is told in the same form', async () => {
    const sandbox = await limited({
      rateLimit: 0,
      faults: ['rate-limit-storm=1', 'rate-limit-headers=fractional', 'rate-limit-body=nested'],
    });
    const { headers, body } = await as(sandbox, 'api_a');
    expect(headers.get('x-rate-limit-reset')).toBe('0.595956');
    expect(body.error).toMatchObject({ rate_reset: '0.595956' });
  });

  it('a hidden limit strikes while the header says that something remains', async () => {
    const sandbox = await limited({ rateLimit: 0, faults: ['hidden-limit=1'] });
    const { headers, status } = await as(sandbox, 'api_a');
    expect([status, headers.get('ratelimit')]).toEqual([429, 'limit=100, remaining=50, reset=1']);
  });
});

describe('the largest _skip', () => {
  it('is one of its own for each list where told so', async () => {
    const sandbox = await limited({
      rateLimit: 0,
      maxSkip: 900,
      maxSkips: { 'activity/email': 50 },
    });
    const at = (path: string, _skip: number): Promise<Reply> => ask(sandbox.url, path, { _skip });
    expect((await at('/activity/email/', 50)).status).toBe(200);
    expect((await at('/activity/email/', 51)).body.error).toContain('(max_skip = 50)');
    expect((await at('/activity/', 51)).status).toBe(200);
    expect((await at('/contact/', 901)).body.error).toContain('(max_skip = 900)');
  });
});
