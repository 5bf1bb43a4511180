import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import { ask, basic, drain, ids, KEY, rows } from '../support/sandbox-client.js';

const started: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((sandbox) => sandbox.stop()));
});

async function faulty(faults: string[], options: SandboxOptions = {}): Promise<Sandbox> {
  const size = { seed: 'faults', leads: 40, activities: 200, rateLimit: 0 };
  const until = '2026-11-01T00:00:00Z';
  // Events are forgotten after 30 days, and so would be those of a fixed date by the real clock.
  const now = (): Date => new Date(until);
  const sandbox = await startSandbox({ ...size, until, now, faults, ...options });
  started.push(sandbox);
  return sandbox;
}

interface Raw {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly bytes: Buffer;
  /** Whether all of the body came, as the headers promise it. */
  readonly isComplete: boolean;
}

/** The bytes as they come over the wire, which `fetch` would unpack or refuse. */
function raw(url: string, giveUpAfterMs = 5_000): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: basic(KEY) };
    const call = request(url, { headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      const end = (): void => {
        clearTimeout(timer);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes: Buffer.concat(parts),
          isComplete: response.complete,
        });
      };
      const timer = setTimeout(() => {
        end();
        call.destroy();
      }, giveUpAfterMs);
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('close', end);
      response.on('error', () => undefined);
    });
    call.on('error', reject);
    call.end();
  });
}

describe('refusals', () => {
  it.each([
    ['rate-limit-storm=1', 429],
    ['hidden-limit=1', 429],
    ['server-error=1', 500],
    ['bad-gateway=1', 502],
    ['unavailable=1', 503],
    ['gateway-timeout=1', 504],
    ['request-timeout=1', 408],
    ['plan-limit=/lead/', 402],
  ])('%s answers %i', async (fault, status) => {
    const { url } = await faulty([fault]);
    expect((await ask(url, '/lead/')).status).toBe(status);
  });

  it('strike so many times only, below a path only, when told so', async () => {
    const sandbox = await faulty(['server-error=1*2:/lead/']);
    const seen = [];
    for (const path of ['/user/', '/lead/', '/user/', '/lead/', '/lead/']) {
      seen.push((await ask(sandbox.url, path)).status);
    }
    expect(seen).toEqual([200, 500, 200, 500, 200]);
    expect(sandbox.stats().faultsByName).toEqual({ 'server-error': 2 });
  });

  it('redirect to another address, or to the same', async () => {
    const elsewhere = await faulty(['redirect=http://127.0.0.1:1/there']);
    const reply = await ask(elsewhere.url, '/lead/');
    expect([reply.status, reply.headers.get('location')]).toEqual([
      302,
      'http://127.0.0.1:1/there/lead/',
    ]);
    const self = await faulty(['redirect-self=1']);
    const loop = await ask(self.url, '/lead/', { _limit: 1 });
    expect(loop.headers.get('location')).toBe(`${self.url}/lead/?_limit=1`);
  });
});

describe('connections', () => {
  it('hang until the caller gives up', async () => {
    const { url } = await faulty(['hang=1']);
    const init = { signal: AbortSignal.timeout(200) };
    await expect(ask(url, '/lead/', {}, init)).rejects.toThrow(/timeout/);
  });

  it('reset before any answer', async () => {
    const { url } = await faulty(['reset=1']);
    await expect(raw(`${url}/lead/`)).rejects.toThrow(/socket hang up|ECONNRESET/);
  });

  it('stall one byte before the end', async () => {
    const { url } = await faulty(['stall=1']);
    const { bytes, headers, isComplete } = await raw(`${url}/lead/`, 300);
    expect(bytes.length).toBe(Number(headers['content-length']) - 1);
    expect(isComplete).toBe(false);
  });

  it('break behind a good answer, without having said so', async () => {
    const { url } = await faulty(['lost-keep-alive=1']);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { hostname, port, pathname } = new URL(`${url}/user/`);
    const headers = { authorization: basic(KEY) };
    const once = (): Promise<string> =>
      new Promise((resolve) => {
        const call = request({ hostname, port, path: pathname, headers, agent }, (response) => {
          const { connection } = response.headers;
          response.resume().on('end', () => {
            resolve(call.reusedSocket ? 'reused' : String(connection));
          });
        });
        call.on('error', () => {
          resolve('broken');
        });
        call.end();
      });
    expect(await once()).toBe('keep-alive');
    // Whoever was quicker: the caller finds the connection gone, or it breaks under him.
    expect(['keep-alive', 'broken']).toContain(await once());
    agent.destroy();
  });

  it('never end', async () => {
    const { url } = await faulty(['endless-body=1']);
    const { bytes, isComplete } = await raw(`${url}/user/`, 200);
    expect(isComplete).toBe(false);
    expect(bytes.length).toBeGreaterThan(1_000_000);
  });

  it('drip the whole body in pieces', async () => {
    const { url } = await faulty(['drip=1']);
    const reply = await ask(url, '/user/');
    expect(rows(reply).length).toBeGreaterThan(0);
  });

  it('end early as if all had come', async () => {
    const { url } = await faulty(['early-end=1']);
    const { bytes, isComplete } = await raw(`${url}/lead/`);
    expect(isComplete).toBe(true);
    expect(() => JSON.parse(bytes.toString()) as unknown).toThrow();
  });

  it('promise more than comes', async () => {
    const { url } = await faulty(['wrong-length=1']);
    expect((await raw(`${url}/lead/`)).isComplete).toBe(false);
  });
});

describe('bodies', () => {
  it.each([
    ['html=1', 200, 'text/html', /^<!DOCTYPE/],
    ['html-as-json=1', 200, 'application/json', /^<!DOCTYPE/],
    ['wrong-type=1', 200, 'text/html', /^\{/],
    ['empty-body=1', 200, 'application/json', /^$/],
    ['no-content=1', 204, undefined, /^$/],
    ['null-body=1', 200, 'application/json', /^null$/],
    ['error-body=1', 200, 'application/json', /"error"/],
    ['data-object=1', 200, 'application/json', /"data":\{\}/],
  ])('%s lies', async (fault, status, type, body) => {
    const { url } = await faulty([fault]);
    const reply = await raw(`${url}/lead/`);
    expect(reply.status).toBe(status);
    expect(reply.headers['content-type']).toBe(type);
    expect(reply.bytes.toString()).toMatch(body);
  });

  it('are as large as told', async () => {
    const { url } = await faulty(['huge-body=2']);
    expect((await raw(`${url}/user/`)).bytes.length).toBeGreaterThan(2_000_000);
  });

  it('come compressed, rightly or not', async () => {
    const whole = await faulty(['gzip=1']);
    const plain = await faulty([]);
    const packed = await raw(`${whole.url}/lead/`);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.bytes)).toEqual((await raw(`${plain.url}/lead/`)).bytes);
    for (const fault of ['gzip-flip', 'gzip-cut', 'gzip-no-trailer', 'gzip-lie']) {
      const { url } = await faulty([`${fault}=1`]);
      const { bytes, headers } = await raw(`${url}/lead/`);
      expect(headers['content-encoding'], fault).toBe('gzip');
      expect(() => gunzipSync(bytes), fault).toThrow();
    }
  });
});

describe('lists', () => {
  it('give a row twice', async () => {
    const { url } = await faulty(['duplicate-rows=1']);
    const found = ids(rows(await ask(url, '/lead/', { _limit: 5 })));
    expect(found).toHaveLength(6);
    expect(found[5]).toBe(found[0]);
  });

  it('give rows in no order, the same ones', async () => {
    const [plain, mixed] = [await faulty([]), await faulty(['shuffled-rows=1'])];
    const right = ids(rows(await ask(plain.url, '/lead/')));
    const found = ids(rows(await ask(mixed.url, '/lead/')));
    expect(found).not.toEqual(right);
    expect([...found].sort()).toEqual([...right].sort());
  });

  it('give the page before again', async () => {
    const { url } = await faulty(['repeat-page=3']);
    const page = (_skip: number): ReturnType<typeof ask> =>
      ask(url, '/lead/', { _limit: 5, _skip });
    const first = await page(0);
    const second = await page(5);
    expect(second.body).not.toEqual(first.body);
    expect((await page(10)).body).toEqual(second.body);
  });

  it('lie about has_more, or do not tell', async () => {
    const missing = await faulty(['has-more-missing=1']);
    expect(Object.keys((await ask(missing.url, '/lead/')).body)).not.toContain('has_more');
    const yes = await faulty(['has-more-true=1']);
    expect((await ask(yes.url, '/lead/', { _skip: 1_000 })).body.has_more).toBe(true);
    const no = await faulty(['has-more-false=1']);
    expect((await ask(no.url, '/lead/', { _limit: 1 })).body.has_more).toBe(false);
  });

  it('give longer or shorter pages than asked, without losing anything', async () => {
    for (const [fault, length] of [
      ['long-pages=1', 17],
      ['short-pages=1', 7],
    ] as const) {
      const { url } = await faulty([fault]);
      expect(rows(await ask(url, '/activity/', { _limit: 10 }))).toHaveLength(length);
      expect(rows(await ask(url, '/event/', { _limit: 10 }))).toHaveLength(length);
      const found = ids(await drain(url, '/activity/', {}, 10));
      expect(new Set(found).size).toBe(200);
    }
  });

  it('do not know a filter', async () => {
    const { url } = await faulty(['ignored-filters=date_created__gte,date_created__lt']);
    const window = { date_created__gte: '2026-10-01', date_created__lt: '2026-10-02' };
    const plain = await ask(url, '/activity/');
    expect((await ask(url, '/activity/', window)).body).toEqual(plain.body);
  });

  it('write the same times in two ways', async () => {
    const [plain, mixed] = [await faulty([]), await faulty(['mixed-times=1'])];
    const right = rows(await ask(plain.url, '/lead/'));
    const found = rows(await ask(mixed.url, '/lead/'));
    expect(found[0]).toEqual(right[0]);
    expect(textOf(found[1]?.date_created)).toMatch(/Z$/);
    const parsed = (list: typeof right): number[] =>
      list.map((row) => Date.parse(textOf(row.date_created)));
    expect(parsed(found)).toEqual(parsed(right));
  });

  it('hand the same cursor back', async () => {
    const { url } = await faulty(['cursor-loop=1'], { now: () => new Date('2026-11-01') });
    const { body } = await ask(url, '/event/', { _limit: 5 });
    const _cursor = textOf(body.cursor_next);
    expect((await ask(url, '/event/', { _limit: 5, _cursor })).body.cursor_next).toBe(_cursor);
  });

  it('move while they are read', async () => {
    const sandbox = await faulty(['moving=1']);
    const before = sandbox.world.data.version;
    for (let count = 0; count < 20; count++) await ask(sandbox.url, '/user/');
    expect(sandbox.world.data.version).toBeGreaterThan(before + 10);
  });

  it('show events late, in another order than they happened', async () => {
    let nowMs = Date.parse('2026-11-01');
    const late = await faulty(['late-events=60'], { now: () => new Date(nowMs) });
    for (let count = 0; count < 20; count++) {
      late.world.createLead();
      nowMs += 10;
    }
    const newest = (list: Iterable<JsonObject>): string[] =>
      ids(Array.from(list).filter((event) => textOf(event.date_updated) >= '2026-11-01T00:00:00'));
    const seen: string[] = [];
    for (let second = 0; second <= 60; second += 5) {
      const reply = await ask(late.url, '/event/', { object_type: 'lead', action: 'created' });
      seen.push(...newest(rows(reply)).filter((id) => !seen.includes(id)));
      nowMs += 5_000;
    }
    const happened = newest(late.world.events()).filter((id) => seen.includes(id));
    expect(seen).toHaveLength(20);
    expect([...seen].sort()).toEqual([...happened].sort());
    expect(seen).not.toEqual(happened);
  });

  it('show changes late in searches', async () => {
    let nowMs = Date.parse('2026-11-02');
    const sandbox = await faulty(['search-lag=5'], { now: () => new Date(nowMs) });
    const { id } = sandbox.world.createLead();
    const find = async (): Promise<string[]> => {
      const query = {
        type: 'and',
        queries: [
          { type: 'object_type', object_type: 'lead' },
          { type: 'id', value: id },
        ],
      };
      const init = { method: 'POST', body: JSON.stringify({ query }) };
      return ids(rows(await ask(sandbox.url, '/data/search/', {}, init)));
    };
    expect(await find()).toEqual([]);
    nowMs += 5_001;
    expect(await find()).toEqual([id]);
  });
});

describe('chaos', () => {
  it('is the same for the same seed, and passes', async () => {
    const statuses = async (seed: string): Promise<string[]> => {
      const { url } = await faulty([`chaos=${seed}`]);
      const seen: string[] = [];
      for (let count = 0; count < 80; count++) {
        seen.push(
          await raw(`${url}/user/`).then(
            ({ status }) => String(status),
            () => 'broken',
          ),
        );
      }
      return seen;
    };
    const one = await statuses('one');
    expect(await statuses('one')).toEqual(one);
    expect(await statuses('other')).not.toEqual(one);
    expect(one.filter((status) => status === '200').length).toBeGreaterThan(60);
  });
});

it('a redirect leads nowhere that the caller did not go himself', async () => {
  let met = 0;
  const other = createServer((_, response) => {
    met++;
    response.end();
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { url } = await faulty([`redirect=http://127.0.0.1:${String(port)}`]);
  await ask(url, '/lead/');
  expect(met).toBe(0);
  await new Promise((resolve) => other.close(resolve));
});
