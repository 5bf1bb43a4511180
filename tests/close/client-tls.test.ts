import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:https';
import { AxiosError } from 'axios';
import { afterEach, describe, expect, test } from 'vitest';
import { readTransportFault } from '../../src/close/transport-error.js';
import { filesIn, readProject } from '../architecture-facts.js';
import { createTestClient, NEVER, thrownBy } from './test-client.js';

/** Signed by itself, for localhost, made for this test alone; nothing trusts it. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUdZoN0ymT0D23eYmHd/OWNhgcZIAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDAwMDEwMVoYDzIxMjYxMDMx
MDAwMTAxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR6s9ujFBwCJ+JIbRPOTgf3tg86dBtFo1Ai1wlT+3VhjFPrTOjqLtw6
jSBD6Dl8vk58HEb0MtkfokDkl/Tr2n6po1MwUTAdBgNVHQ4EFgQUC0qLleIECGJB
7IUwXwUeeDZJru0wHwYDVR0jBBgwFoAUC0qLleIECGJB7IUwXwUeeDZJru0wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiATMRNQbFs3EUXk6tY1MoOZ
9XmnJpHK2oG9oFwlX0WYaQIhAMxl3NXRBIb+tY2g9ObDGRRBbKF/fMwhdroSj/gu
FVKm
-----END CERTIFICATE-----`;
const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg884a95mP6lA/yexu
HmCOtnZcI1Yt9gzk4AntKsthQAyhRANCAAR6s9ujFBwCJ+JIbRPOTgf3tg86dBtF
o1Ai1wlT+3VhjFPrTOjqLtw6jSBD6Dl8vk58HEb0MtkfokDkl/Tr2n6p
-----END PRIVATE KEY-----`;

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  );
});

async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

describe('TLS', () => {
  test('nothing in the code turns the checking of certificates off', () => {
    const sources = filesIn('src').map(readProject).join('\n');
    expect(sources).not.toMatch(/rejectUnauthorized|NODE_TLS_REJECT_UNAUTHORIZED/);
  });

  test('a certificate that nobody vouches for stops the connection, before the key is sent', async () => {
    let requests = 0;
    const server = createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }, () => (requests += 1));
    const client = createTestClient(`https://localhost:${await portOf(server)}/api/v1`);
    const error = await thrownBy(() => client.get('/me/', {}, NEVER));
    expect([error.code, error.recovery, requests]).toEqual(['CLOSE_TLS', 'stop-connection', 0]);
    expect(error.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  test('a reset in the handshake is retried', async () => {
    const server = createTcpServer((socket) => socket.resetAndDestroy());
    const client = createTestClient(`https://localhost:${await portOf(server)}/api/v1`);
    const error = await thrownBy(() => client.get('/me/', {}, NEVER));
    expect([error.code, error.recovery]).toEqual(['CLOSE_UNAVAILABLE', 'retry']);
  });

  test.each([
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('%s is a certificate fault', (code) =>
    expect(readTransportFault(new AxiosError('x', code))).toEqual({ is: 'tls', kind: code }),
  );

  test.each([
    ['ENOTFOUND', 'cannot resolve the host name'],
    ['EAI_AGAIN', 'cannot resolve the host name now'],
    ['ETIMEDOUT', 'timeout'],
    ['EPROTO', 'no TLS on the other side'],
    ['ESOMETHINGNEW', 'ESOMETHINGNEW'],
    ['not a name: secret', 'request failed'],
  ])('%s → %s', (code, kind) => {
    expect(readTransportFault(new AxiosError('x', code))).toEqual({ is: 'down', kind });
  });
});
