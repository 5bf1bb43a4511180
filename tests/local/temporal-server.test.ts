import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openHome, type Home } from '../../src/local/home.js';
import { identityOf } from '../../src/local/processes.js';
import {
  findTemporal,
  isTemporalServing,
  startTemporal,
  type LocalTemporal,
} from '../../src/local/temporal-server.js';
import { removeHome, temporalCliPath, temporaryHome } from '../support/tools.js';

let cliPath: string;
let folder: string;
let home: Home;

beforeAll(async () => {
  cliPath = await temporalCliPath();
});
beforeEach(() => {
  folder = temporaryHome();
  home = openHome(folder);
});
afterEach(async () => {
  await findTemporal(home)?.stop();
  home.release();
  removeHome(folder);
});

async function withClient<Result>(
  server: LocalTemporal,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await use(new Client({ connection, namespace: server.namespace }));
  } finally {
    await connection.close();
  }
}

async function describeStatus(server: LocalTemporal, workflowId: string): Promise<string> {
  return withClient(server, async (client) => {
    const description = await client.workflow.getHandle(workflowId).describe();
    return description.status.name;
  });
}

async function startWorkflow(server: LocalTemporal, workflowId: string): Promise<void> {
  await withClient(server, (client) =>
    client.workflow.start('nobodyRunsThis', { taskQueue: 'nobody', workflowId }),
  );
}

async function takenPort(): Promise<{ port: number; free: () => Promise<void> }> {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const address = blocker.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    free: async () => {
      blocker.close();
      await once(blocker, 'close');
    },
  };
}

describe('the embedded Temporal server', () => {
  it('serves its namespace and the Web UI, is found again, and stops', async () => {
    const first = await startTemporal({ home, cliPath, namespace: 'close' });
    expect(first.attached).toBe(false);
    // It leads a process group of its own: Ctrl-C in our terminal does not reach it.
    expect(() => process.kill(-first.pid, 0)).not.toThrow();
    expect(await isTemporalServing(first.address, 'close')).toBe(true);
    expect(await isTemporalServing(first.address, 'unknown')).toBe(false);
    expect((await fetch(first.uiUrl)).status).toBe(200);
    expect(statSync(join(folder, 'temporal.db')).mode & 0o077).toBe(0);

    const second = await startTemporal({ home, cliPath });
    expect(second).toMatchObject({ attached: true, pid: first.pid, namespace: 'close' });
    expect(findTemporal(home)).toMatchObject({ pid: first.pid, address: first.address });

    await second.stop();
    expect(identityOf(first.pid)).toBeUndefined();
    expect(await isTemporalServing(first.address)).toBe(false);
    expect(findTemporal(home)).toBeUndefined();
  });

  it('keeps its workflows over a SIGKILL and over a stop, at the same address', async () => {
    const first = await startTemporal({ home, cliPath });
    await startWorkflow(first, 'kept');
    process.kill(first.pid, 'SIGKILL');
    const second = await startTemporal({ home, cliPath });
    expect(second).toMatchObject({ attached: false, address: first.address });
    expect(await describeStatus(second, 'kept')).toBe('RUNNING');
    await startWorkflow(second, 'kept-too');
    await second.stop();
    const third = await startTemporal({ home, cliPath });
    expect(third).toMatchObject({ address: first.address, uiUrl: first.uiUrl });
    expect(await describeStatus(third, 'kept-too')).toBe('RUNNING');
  });

  it('starts over after a first start that was killed before its tables were made', async () => {
    writeFileSync(join(folder, 'temporal.db'), '');
    await expect(startTemporal({ home, cliPath })).rejects.toMatchObject({
      code: 'TEMPORAL_START_FAILED',
      next: expect.stringContaining(join(folder, 'temporal.log')) as string,
    });
    const stateFile = join(folder, 'temporal.json');
    const state = JSON.parse(readFileSync(stateFile, 'utf8')) as object;
    writeFileSync(stateFile, JSON.stringify({ ...state, isDatabaseComplete: false }));
    const server = await startTemporal({ home, cliPath });
    expect(await isTemporalServing(server.address)).toBe(true);
  });

  it('goes to the ports that were asked for, or says which one is taken', async () => {
    const grpc = await takenPort();
    const ui = await takenPort();
    await expect(startTemporal({ home, cliPath, port: grpc.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(String(grpc.port)) as string,
    });
    await grpc.free();
    await expect(
      startTemporal({ home, cliPath, port: grpc.port, uiPort: ui.port }),
    ).rejects.toMatchObject({ code: 'PORT_TAKEN' });
    await ui.free();
    const server = await startTemporal({ home, cliPath, port: grpc.port, uiPort: ui.port });
    expect(server.address).toBe(`127.0.0.1:${grpc.port}`);
    expect(server.uiUrl).toBe(`http://127.0.0.1:${ui.port}`);
  });

  it('names its log when it does not start', async () => {
    await expect(startTemporal({ home, cliPath: '/bin/false' })).rejects.toMatchObject({
      code: 'TEMPORAL_START_FAILED',
      next: expect.stringContaining(join(folder, 'temporal.log')) as string,
    });
    expect(findTemporal(home)).toBeUndefined();
    expect(existsSync(join(folder, 'temporal.log'))).toBe(true);
    expect(readFileSync(join(folder, 'temporal.json'), 'utf8')).toContain('process');
  });
});
