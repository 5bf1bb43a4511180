import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import {
  answerJson,
  startFaultServer,
  type FaultHandler,
  type FaultServer,
} from '../support/close-fault-server.js';
import {
  CANARY_KEY,
  codeThrownBy,
  createClock,
  createTestClient,
  NEVER,
  spyBudget,
  thrownBy,
} from './test-client.js';

const servers: FaultServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(handler: FaultHandler): Promise<FaultServer> {
  const server = await startFaultServer(handler);
  servers.push(server);
  return server;
}

const empty = { data: [], has_more: false };

describe('what is sent', () => {
  test('key as user with an empty password, our name, no time zone, lists with commas', async () => {
    const server = await start((response) => answerJson(response, empty));
    const client = createTestClient(server.baseUrl);
    await client.get('/lead/', { _fields: ['id', 'name'], q: 'a+b c', n: 1, b: true }, NEVER);
    const [seen] = server.seen;
    expect(seen?.url).toBe('/api/v1/lead/?_fields=id%2Cname&q=a%2Bb%20c&n=1&b=true');
    expect(seen?.headers.authorization).toBe(
      `Basic ${Buffer.from(`${CANARY_KEY}:`).toString('base64')}`,
    );
    expect(seen?.headers['user-agent']).toBe('closehaul/0.0.0-test');
    expect(seen?.headers['accept-encoding']).toBe('gzip');
    expect(seen?.headers).not.toHaveProperty('x-tz-offset');
    client.close();
  });

  test('a long query goes as a POST that stands for the GET, in the budget of the GET', async () => {
    const server = await start((response) => answerJson(response, empty));
    const spy = spyBudget(createClock());
    const client = createTestClient(server.baseUrl, { budget: spy.budget });
    const ids = Array.from({ length: 60 }, (_, index) => `lead_${String(index).padStart(43, '0')}`);
    await client.get('/lead/', { id__in: ids, _limit: 100 }, NEVER);
    const [seen] = server.seen;
    expect([seen?.method, seen?.url]).toEqual(['POST', '/api/v1/lead/']);
    expect(seen?.headers['x-http-method-override']).toBe('GET');
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      _params: { id__in: ids.join(','), _limit: 100 },
    });
    expect(spy.calls[0]).toBe('take GET /lead/');
    client.close();
  });

  test('the client prints nothing secret', () => {
    const client = createTestClient('http://127.0.0.1:9/api/v1');
    expect(inspect(client, { depth: 20, showHidden: true })).not.toContain(CANARY_KEY);
    expect(JSON.stringify(client)).not.toContain(CANARY_KEY);
  });

  test.each([
    'http://api.close.com/api/v1',
    'http://169.254.169.254/',
    'http://127.0.0.1.example.org/',
    'ftp://api.close.com/',
    'file:///etc/passwd',
    'https://user:pass@api.close.com/api/v1',
    'https://api.close.com/api/v1?x=1',
    'not a url',
  ])('refuses the base URL %s', async (baseUrl) => {
    const code = await codeThrownBy(() => Promise.resolve().then(() => createTestClient(baseUrl)));
    expect(code).toBe('CLOSE_URL_REFUSED');
  });

  test.each(['https://api.close.com/api/v1/', 'http://localhost:1/', 'http://[::1]:1/x'])(
    'takes the base URL %s',
    (baseUrl) => expect(() => createTestClient(baseUrl)).not.toThrow(),
  );
});

describe('connections', () => {
  test.each(['other', 'itself', 'http', 'relative'])(
    'a redirect to %s is not followed',
    async (to) => {
      const other = await start((response) => answerJson(response, empty));
      const targets: Record<string, string> = {
        other: other.baseUrl,
        http: 'http://api.close.com/',
        relative: '/api/v1/lead/',
      };
      const server = await start((response, seen) => {
        response.writeHead(307, { location: targets[to] ?? seen.url }).end();
      });
      const client = createTestClient(server.baseUrl);
      expect(await codeThrownBy(() => client.get('/lead/', {}, NEVER))).toBe('CLOSE_REDIRECTED');
      expect([server.seen.length, other.seen.length]).toEqual([1, 0]);
      client.close();
    },
  );

  test('one connection serves requests that follow each other, and a request that was cut short none', async () => {
    const sockets = new Set<unknown>();
    const server = await start((response, _seen, index, socket) => {
      sockets.add(socket);
      if (index !== 3) answerJson(response, empty);
    });
    const client = createTestClient(server.baseUrl, { timeoutMs: 200 });
    for (let time = 0; time < 3; time += 1) await client.get('/lead/', {}, NEVER);
    expect(sockets.size).toBe(1);
    expect(await codeThrownBy(() => client.get('/lead/', {}, NEVER))).toBe('CLOSE_UNAVAILABLE');
    await client.get('/lead/', {}, NEVER);
    expect(sockets.size).toBe(2);
    client.close();
  });

  test('a kept-alive connection that the server closed is healed by one more try', async () => {
    const server = await start((response, _seen, index, socket) => {
      if (index === 1) socket.resetAndDestroy();
      else answerJson(response, empty);
    });
    const client = createTestClient(server.baseUrl);
    expect((await client.get('/lead/', {}, NEVER)).requests).toBe(1);
    expect((await client.get('/lead/', {}, NEVER)).requests).toBe(2);
    expect(server.seen.length).toBe(3);
    client.close();
  });

  test('a fresh connection that is reset is not tried again here', async () => {
    const server = await start((_response, _seen, _index, socket) => socket.resetAndDestroy());
    const client = createTestClient(server.baseUrl);
    const error = await thrownBy(() => client.get('/lead/', {}, NEVER));
    expect(error.message).toBe('Close did not answer /lead/: connection reset.');
    expect(server.seen.length).toBe(1);
    client.close();
  });

  test('nobody there, no such name', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const refused = createTestClient(`http://127.0.0.1:${port}/api/v1`);
    const error = await thrownBy(() => refused.get('/lead/', {}, NEVER));
    expect([error.code, error.message]).toEqual([
      'CLOSE_UNAVAILABLE',
      'Close did not answer /lead/: connection refused.',
    ]);
  });

  test.each<[string, FaultHandler]>([
    ['no answer at all', () => undefined],
    [
      'a drip',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
    ],
    [
      'a stall before the last byte',
      (response) => {
        response.writeHead(200, { 'content-length': '11' });
        response.write('{"data":[]');
      },
    ],
  ])('the deadline ends %s', async (_name, handler) => {
    const server = await start(handler);
    const client = createTestClient(server.baseUrl, { timeoutMs: 150 });
    const error = await thrownBy(() => client.get('/lead/', {}, NEVER));
    expect(error.message).toBe('Close did not answer /lead/: timeout.');
    client.close();
  });

  test('a cancelled caller gets its own reason, before, during and while waiting', async () => {
    const reason = new Error('the worker stops');
    const server = await start((_response, _seen, index) => {
      if (index === 0) controller.abort(reason);
    });
    const controller = new AbortController();
    const client = createTestClient(server.baseUrl);
    await expect(client.get('/lead/', {}, controller.signal)).rejects.toBe(reason);
    await expect(client.get('/lead/', {}, controller.signal)).rejects.toBe(reason);
    expect(server.seen.length).toBe(1);
    client.close();
  });
});

describe('rate limits', () => {
  const limited =
    (headers: Record<string, string>, times: number): FaultHandler =>
    (response, _seen, index) => {
      if (index < times) answerJson(response, { error: { rate_reset: 999 } }, 429, headers);
      else answerJson(response, empty);
    };

  test.each([
    [{ ratelimit: 'limit=100, remaining=0, reset=3' }, 3_000],
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:04 GMT' }, 4_000],
    [{ 'ratelimit-limit': '9', 'ratelimit-remaining': '0', 'ratelimit-reset': '1' }, 1_000],
    [
      {
        'x-rate-limit-limit': '9',
        'x-rate-limit-remaining': '0',
        'x-rate-limit-reset': '0.595956',
      },
      596,
    ],
  ])('429 with %j waits %i ms, for everybody, and goes on', async (headers, waitMs) => {
    const server = await start(limited(headers, 1));
    const clock = createClock();
    const spy = spyBudget(clock);
    const client = createTestClient(server.baseUrl, { clock, budget: spy.budget });
    expect((await client.get('/lead/', {}, NEVER)).requests).toBe(2);
    expect(clock.sleptMs).toEqual([waitMs]);
    expect(spy.calls).toContain(`block GET /lead/ ${waitMs}`);
    client.close();
  });

  test('429 without a header, or with HTML and nonsense, backs off and doubles', async () => {
    const server = await start((response, _seen, index) => {
      if (index < 2) response.writeHead(429, { 'retry-after': '-4' }).end('<html>');
      else answerJson(response, empty);
    });
    const clock = createClock();
    const client = createTestClient(server.baseUrl, { clock });
    await client.get('/lead/', {}, NEVER);
    const [first = 0, second = 0] = clock.sleptMs;
    expect(first >= 1_000 && first <= 1_250 && second >= 2_000 && second <= 2_500).toBe(true);
    client.close();
  });

  test.each([
    [{ 'retry-after': '30' }, 30_000, 1],
    [{ 'retry-after': '1000000000' }, 300_000, 1],
    [{ 'retry-after': '4' }, 4_000, 3],
  ])('429 with %j is handed on after %i ms', async (headers, retryAfterMs, requests) => {
    const server = await start(limited(headers, 99));
    const client = createTestClient(server.baseUrl);
    const error = await thrownBy(() => client.get('/lead/', {}, NEVER));
    expect([error.code, error.recovery, error.retryAfterMs]).toEqual([
      'CLOSE_RATE_LIMITED',
      'retry',
      retryAfterMs,
    ]);
    expect(server.seen.length).toBe(requests);
    client.close();
  });

  test('resets that are told too short do not make a storm', async () => {
    const server = await start(limited({ 'retry-after': '0.001' }, 99));
    const client = createTestClient(server.baseUrl);
    expect(await codeThrownBy(() => client.get('/lead/', {}, NEVER))).toBe('CLOSE_RATE_LIMITED');
    expect(server.seen.length).toBeLessThanOrEqual(5);
    client.close();
  });

  test('slows down before the limit: what the header said is waited for', async () => {
    const headers = { ratelimit: 'limit=2, remaining=0, reset=6' };
    const server = await start((response) => answerJson(response, empty, 200, headers));
    const clock = createClock();
    const client = createTestClient(server.baseUrl, { clock });
    await client.get('/lead/', {}, NEVER);
    await client.get('/activity/', {}, NEVER);
    expect(clock.sleptMs).toEqual([]);
    await client.get('/lead/', {}, NEVER);
    expect(clock.sleptMs).toEqual([6_000]);
    client.close();
  });

  test('a wait for the budget that does not fit is handed on, and nothing is sent', async () => {
    const server = await start((response) => answerJson(response, empty));
    const clock = createClock();
    const spy = spyBudget(clock);
    await spy.budget.block('GET /lead/', 60_000);
    const client = createTestClient(server.baseUrl, { clock, budget: spy.budget });
    const error = await thrownBy(() => client.get('/lead/', {}, NEVER));
    expect([error.code, error.retryAfterMs]).toEqual(['CLOSE_RATE_LIMITED', 60_000]);
    expect(server.seen.length).toBe(0);
    client.close();
  });
});
