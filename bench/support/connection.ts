/** Closehaul as it is deployed: a worker process of the built program, and a connection of it. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import {
  connectionWorkflowId,
  SIGNALS,
  STATUS_QUERY,
  TASK_QUEUE,
  WORKFLOW_TYPES,
  type ConnectionInput,
  type RunResult,
  type StatusAnswer,
} from '../../src/contract.js';
import { startProgram, watchMemory } from './processes.js';
import type { Stack } from './stack.js';

export const BIN = fileURLToPath(new URL('../../bin/closehaul.js', import.meta.url));
const POLL_MS = 100;

export interface BenchWorker {
  readonly peakBytes: () => number | null;
  stop(): Promise<void>;
}

/** What a process of ours is given to find the servers. */
export function environment(
  stack: Pick<Stack, 'temporalAddress'>,
  databaseUrl: string,
  closeUrl: string,
): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...{ DATABASE_URL: databaseUrl, CLOSE_API_URL: closeUrl, CLOSE_API_KEY: 'api_bench' },
    TEMPORAL_ADDRESS: stack.temporalAddress,
  };
}

/** Resolves when the worker polls. `args`: of another program than the worker that is deployed. */
export async function startBenchWorker(
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [BIN, 'worker'],
): Promise<BenchWorker> {
  const { child, finished } = startProgram(process.execPath, args, { env });
  const memory = watchMemory([child.pid ?? 0]);
  const isUp = new Promise<void>((resolve) => {
    child.stderr?.on('data', (text: string) => {
      if (text.includes('worker started')) resolve();
    });
  });
  await Promise.race([isUp, finished.then(() => Promise.reject(new Error('the worker ended')))]);
  return {
    peakBytes: memory.peakBytes,
    async stop() {
      memory.stop();
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await once(child, 'close');
      }
    },
  };
}

export interface Sync {
  readonly seconds: number;
  /** Events in the sync's own history. */
  readonly events: number;
  readonly result: RunResult;
}

export class BenchConnection {
  readonly id: string;

  private constructor(
    private readonly stack: Stack,
    readonly schema: string,
  ) {
    this.id = connectionWorkflowId(schema);
  }

  /** Begins to replicate. A `name` is its own schema. */
  static async start(stack: Stack, input: ConnectionInput): Promise<BenchConnection> {
    const connection = new BenchConnection(stack, input.name);
    await stack.client.workflow.start(WORKFLOW_TYPES.connection, {
      ...{ taskQueue: TASK_QUEUE, workflowId: connection.id, args: [input] },
    });
    return connection;
  }

  /** The historical sync, once it is over. */
  historicalSync(): Promise<Sync> {
    return this.finished(`${this.id}/initial`);
  }

  /** Asks for an incremental sync and gives it, once it is over; its time begins with the question. */
  async incrementalSync(): Promise<Sync> {
    const { syncsCompleted } = await this.status();
    const askedMs = Date.now();
    await this.stack.client.workflow.getHandle(this.id).signal(SIGNALS.syncNow);
    const { lastSync } = await this.until((now) => now.syncsCompleted > syncsCompleted);
    if (lastSync?.kind !== 'incremental') throw new Error('there was no incremental sync');
    const slot = new Date(lastSync.startedAt).toISOString();
    return this.finished(`${this.id}/incremental/${slot}`, askedMs);
  }

  private async finished(workflowId: string, askedMs?: number): Promise<Sync> {
    const handle = this.stack.client.workflow.getHandle(workflowId);
    const result = await this.resultOf(handle);
    const { startTime, closeTime, historyLength } = await handle.describe();
    const endedMs = closeTime?.getTime() ?? NaN;
    const seconds = (endedMs - (askedMs ?? startTime.getTime())) / 1000;
    return { seconds, events: historyLength, result };
  }

  /** Waits for a child that the connection may not have started yet, without asking the worker. */
  private async resultOf(handle: WorkflowHandle): Promise<RunResult> {
    for (;;) {
      try {
        return (await handle.result()) as RunResult;
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        await pause(POLL_MS);
      }
    }
  }

  /** Events in the connection's own history. */
  async events(): Promise<number> {
    return (await this.stack.client.workflow.getHandle(this.id).describe()).historyLength;
  }

  async status(): Promise<StatusAnswer> {
    return this.stack.client.workflow.getHandle(this.id).query<StatusAnswer>(STATUS_QUERY);
  }

  /** Ends it, so that no later worker takes it up. */
  async end(): Promise<void> {
    await this.stack.client.workflow.getHandle(this.id).terminate('the benchmark is over');
  }

  async until(isSo: (status: StatusAnswer) => boolean): Promise<StatusAnswer> {
    for (;;) {
      const status = await this.status();
      if (isSo(status)) return status;
      await pause(POLL_MS);
    }
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
