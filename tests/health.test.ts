import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { serveHealth } from '../src/health.js';

let close: (() => void) | undefined;
afterEach(() => close?.());

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

it('says that it lives, and whether it is ready, as it is at that moment', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  let ready: () => Promise<boolean> = () => Promise.resolve(true);
  ({ close } = await serveHealth(address, () => ready()));
  const status = async (path: string): Promise<number> =>
    (await fetch(`http://${address}${path}`)).status;
  expect([await status('/live'), await status('/ready'), await status('/')]).toEqual([
    ...[200, 200, 404],
  ]);
  ready = () => Promise.resolve(false);
  expect(await status('/ready')).toBe(503);
  ready = () => Promise.reject(new Error('the database is away'));
  expect([await status('/live'), await status('/ready')]).toEqual([200, 503]);
});

it('refuses an address that somebody else listens on, by name', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  ({ close } = await serveHealth(address, () => Promise.resolve(true)));
  await expect(serveHealth(address, () => Promise.resolve(true))).rejects.toMatchObject({
    code: 'HEALTH_ADDRESS_TAKEN',
    message: expect.stringContaining(address) as string,
  });
});

it('listens nowhere unless it is asked to', async () => {
  ({ close } = await serveHealth(undefined, () => Promise.reject(new Error('asked'))));
});
