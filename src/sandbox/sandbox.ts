/**
 * An HTTP simulator of Close's API with an account of invented data in it. It is an independent
 * program: it shares no code with the client, so that one mistake cannot be made on both sides.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiServer, BASE_PATH, type SandboxStats } from './api-server.js';
import { LiveChanges } from './live-changes.js';
import { settle, type SandboxOptions } from './options.js';
import { World } from './world.js';

export interface Sandbox {
  /** Where the API is, as `http://127.0.0.1:8181/api/v1`. */
  readonly url: string;
  readonly port: number;
  readonly world: World;
  stats(): SandboxStats;
  stop(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settings = settle(options);
  const world = new World(settings, settings.now);
  const api = new ApiServer(settings, world);
  const server = createServer((request, response) => {
    api.handle(request, response).catch(() => {
      // The caller went away in the middle of its own request; there is nobody left to tell.
      response.destroy();
    });
  });
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
    stats: () => api.stats(),
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
