/**
 * An HTTP simulator of Close's API with an account of invented data in it. It is an independent
 * program: it shares no code with the client, so that one mistake cannot be made on both sides.
 *
 * `world/` is the account: which records there are, when they changed, what they were before.
 * `records/` makes the content of a record from its number. `api/` answers requests from both.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { BASE_PATH, makeApi, type ApiControls } from './api/app.js';
import { settle, type SandboxOptions } from './options.js';
import { LiveChanges } from './world/live-changes.js';
import { World } from './world/world.js';

export interface Sandbox extends ApiControls {
  /** Where the API is, as `http://127.0.0.1:8181/api/v1`. */
  readonly url: string;
  readonly port: number;
  readonly world: World;
  stop(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settings = settle(options);
  const world = new World(settings, settings.now, settings.keepsLedger);
  const { fetch, ...controls } = makeApi(settings, world);
  // Else the adapter puts its own Request and Response in the place of the process's.
  const answer = getRequestListener(fetch, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void answer(request, response));
  const { port } = await listen(server, settings.port, settings.host);
  const live =
    settings.changesPerMinute > 0
      ? new LiveChanges(world, settings.changesPerMinute, settings.span.until)
      : undefined;
  live?.start();
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return {
    url: `http://${host}:${String(port)}${BASE_PATH}`,
    port,
    world,
    ...controls,
    stop: async () => {
      live?.stop();
      if (!server.listening) return;
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address;
}
