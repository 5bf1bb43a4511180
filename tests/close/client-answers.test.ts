import { gzipSync } from 'node:zlib';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { CloseClientOptions } from '../../src/close/client.js';
import type { ClosePath } from '../../src/close/request.js';
import {
  answerJson,
  startFaultServer,
  type FaultHandler,
  type FaultServer,
} from '../support/close-fault-server.js';
import { CANARY_VALUE, codeThrownBy, createTestClient, NEVER, thrownBy } from './test-client.js';

const servers: FaultServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(handler: FaultHandler): Promise<FaultServer> {
  const server = await startFaultServer(handler);
  servers.push(server);
  return server;
}

/** GET of a path whose query holds the canary, against a server that answers as told. */
async function getFrom(
  answer: (response: ServerResponse) => void,
  path: ClosePath = '/lead/',
  options: Partial<CloseClientOptions> = {},
) {
  const server = await start((response) => answer(response));
  const client = createTestClient(server.baseUrl, options);
  return client.get(path, { query: CANARY_VALUE }, NEVER).finally(() => client.close());
}

const secretBody = { error: CANARY_VALUE, 'field-errors': { lead: CANARY_VALUE, 'x y': 'z' } };
const page = { data: [{ id: 'lead_1', name: 'Bluth', value: 3 }], has_more: false };

describe('statuses', () => {
  test.each([
    [401, '/lead/', 'CLOSE_KEY_REJECTED', 'stop-connection'],
    [401, '/me/', 'CLOSE_KEY_REJECTED', 'stop-connection'],
    [403, '/me/', 'CLOSE_KEY_REJECTED', 'stop-connection'],
    [403, '/lead/', 'CLOSE_FORBIDDEN', 'fail-stream'],
    [404, '/lead/', 'CLOSE_NOT_FOUND', 'fail-stream'],
    [400, '/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [402, '/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [405, '/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [415, '/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [422, '/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [408, '/lead/', 'CLOSE_UNAVAILABLE', 'retry'],
    [500, '/lead/', 'CLOSE_UNAVAILABLE', 'retry'],
    [502, '/lead/', 'CLOSE_UNAVAILABLE', 'retry'],
    [503, '/lead/', 'CLOSE_UNAVAILABLE', 'retry'],
    [504, '/lead/', 'CLOSE_UNAVAILABLE', 'retry'],
    [302, '/lead/', 'CLOSE_REDIRECTED', 'stop-connection'],
    [304, '/lead/', 'CLOSE_REDIRECTED', 'stop-connection'],
    [206, '/lead/', 'CLOSE_UNEXPECTED_BODY', 'retry'],
  ] as const)('%i on %s → %s', async (status, path, code, recovery) => {
    const error = await thrownBy(() => getFrom((r) => answerJson(r, secretBody, status), path));
    expect([error.code, error.recovery]).toEqual([code, recovery]);
    if (status !== 206) expect(error.message).toMatch(String(status));
  });

  test('a validation error names its fields and quotes nothing', async () => {
    const error = await thrownBy(() => getFrom((r) => answerJson(r, secretBody, 400)));
    expect(error.message).toContain('fields named: lead)');
  });

  test.each([
    'The skip you set is larger than the maximum skip for this resource (max_skip = 250000). Please refine your search query.',
    { message: 'The skip you set is too large (max_skip = 250000).' },
  ])('max_skip is told apart: %j', async (error) => {
    const thrown = await thrownBy(() => getFrom((r) => answerJson(r, { error }, 400)));
    expect(thrown.code).toBe('CLOSE_SKIP_TOO_FAR');
    expect(thrown.message).toContain('250000');
  });

  test('an id in the path does not reach the message', async () => {
    const id = 'lead_p7HyQ3vJt0pnO8kPqDmv8uHMeGOjUwEJOuYwvwvvvVv';
    const error = await thrownBy(() => getFrom((r) => answerJson(r, {}, 404), `/lead/${id}/`));
    expect(error.message).toContain('/lead/:id/');
    expect(error.message).not.toContain(id);
  });

  test('503 hands on Retry-After', async () => {
    const error = await thrownBy(() =>
      getFrom((r) => answerJson(r, {}, 503, { 'retry-after': '60' })),
    );
    expect(error.retryAfterMs).toBe(60_000);
  });
});

describe('bodies', () => {
  const html = `<html>${CANARY_VALUE}</html>`;
  const cases: readonly (readonly [string, string, (r: ServerResponse) => void])[] = [
    [
      'HTML under 200',
      'CLOSE_UNEXPECTED_BODY',
      (r) => r.setHeader('content-type', 'text/html').end(html),
    ],
    [
      'text under 200',
      'CLOSE_UNEXPECTED_BODY',
      (r) => r.setHeader('content-type', 'text/plain').end('ok'),
    ],
    ['an error under 200', 'CLOSE_UNEXPECTED_BODY', (r) => answerJson(r, secretBody)],
    ['nothing under 200', 'CLOSE_UNEXPECTED_BODY', (r) => r.end()],
    ['204', 'CLOSE_UNEXPECTED_BODY', (r) => r.writeHead(204).end()],
    ['null', 'CLOSE_UNEXPECTED_BODY', (r) => answerJson(r, null)],
    ['a list', 'CLOSE_UNEXPECTED_BODY', (r) => answerJson(r, [CANARY_VALUE])],
    [
      'a number too deep',
      'CLOSE_UNEXPECTED_BODY',
      (r) => r.end(`{"a":${'['.repeat(12_000)}4.0${']'.repeat(12_000)}}`),
    ],
    [
      'half of a JSON text',
      'CLOSE_BODY_INCOMPLETE',
      (r) => r.end(`{"data":[{"email":"${CANARY_VALUE}`),
    ],
    [
      'bytes that are not UTF-8',
      'CLOSE_BODY_INCOMPLETE',
      (r) => r.end(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
    ],
    [
      'a body shorter than told',
      'CLOSE_BODY_INCOMPLETE',
      (r) => {
        r.writeHead(200, { 'content-length': '999' });
        r.write('{"data":[]}', () => r.destroy());
      },
    ],
    [
      'chunks cut',
      'CLOSE_BODY_INCOMPLETE',
      (r) => {
        r.writeHead(200, { 'content-type': 'application/json' });
        r.write('{"data":[],', () => r.destroy());
      },
    ],
    [
      'chunks cut after complete JSON',
      'CLOSE_BODY_INCOMPLETE',
      (r) => {
        r.writeHead(200, { 'content-type': 'application/json' });
        r.write('{"data":[]}', () => r.destroy());
      },
    ],
    ['no answer', 'CLOSE_UNAVAILABLE', (r) => r.destroy()],
    [
      'a body past the cap',
      'CLOSE_BODY_TOO_LARGE',
      (r) => answerJson(r, { data: ['x'.repeat(40_000)] }),
    ],
    [
      'an endless body',
      'CLOSE_BODY_TOO_LARGE',
      (r) => {
        const more = () => {
          while (!r.destroyed && r.write('x'.repeat(10_000)));
        };
        r.on('drain', more).on('error', () => undefined);
        more();
      },
    ],
    [
      'a small body that unpacks past the cap',
      'CLOSE_BODY_TOO_LARGE',
      (r) =>
        r
          .setHeader('content-encoding', 'gzip')
          .end(gzipSync(JSON.stringify({ data: ['x'.repeat(40_000)] }))),
    ],
  ];

  test.each(cases)('%s → %s', async (_name, code, answer) => {
    expect(await codeThrownBy(() => getFrom(answer, '/lead/', { bodyBytesMax: 32_768 }))).toBe(
      code,
    );
  });

  test('the message tells status, type and length', async () => {
    const error = await thrownBy(() =>
      getFrom((r) => r.setHeader('content-type', 'text/html; charset=utf-8').end(html)),
    );
    expect(error.message).toContain(`HTTP 200, text/html, ${html.length} bytes`);
  });
});

describe('gzip', () => {
  const packed = gzipSync(JSON.stringify(page));
  const send =
    (bytes: Buffer, encoding = 'gzip') =>
    (r: ServerResponse) => {
      r.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding });
      r.end(bytes);
    };
  const flipped = Buffer.from(packed);
  flipped[20] = (flipped[20] ?? 0) ^ 4;

  test('is read whole', async () => {
    expect((await getFrom(send(packed))).body).toEqual(page);
  });

  test.each([
    ['without its trailer', send(packed.subarray(0, -8))],
    ['without its last byte', send(packed.subarray(0, -1))],
    ['cut in the middle', send(packed.subarray(0, packed.length / 2))],
    ['with a bit flipped', send(flipped)],
    ['that is none', send(Buffer.from(JSON.stringify(page)))],
    ['under another name', send(packed, 'identity')],
    ['under an unknown name', send(packed, 'zopfli')],
  ])('%s is refused as incomplete', async (_name, answer) => {
    expect(await codeThrownBy(() => getFrom(answer))).toBe('CLOSE_BODY_INCOMPLETE');
  });
});

test('a cut body of an error status still gives the status', async () => {
  const answer = (r: ServerResponse) =>
    r.writeHead(502, { 'content-type': 'text/html' }).end('<ht');
  expect((await thrownBy(() => getFrom(answer))).message).toContain('HTTP 502');
});
