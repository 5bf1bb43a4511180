/** A whole historical sync by a worker of its own. */
import type { ConnectionInput } from '../../src/contract.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { BenchConnection, environment, startBenchWorker, type BenchWorker } from './connection.js';
import type { Database, Stack } from './stack.js';

/** Fixed, so that every run reads the same account to the byte. */
const UNTIL = '2026-11-01T00:00:00Z';
/** Before the oldest record: the account is a year old. */
export const START_DATE = '2025-10-01';
/** A workflow of an earlier one must not be taken for it, so each connection has its own name. */
let connections = 0;

export interface Size {
  readonly leads: number;
  readonly activities: number;
}

export function benchSandbox(size: Size): Promise<Sandbox> {
  return startSandbox({ ...size, seed: 'bench', until: UNTIL, rateLimit: 0, keepsLedger: false });
}

export interface Replication {
  /** From the start of the worker's process. */
  readonly wallSeconds: number;
  /** From the start of the sync's workflow. */
  readonly seconds: number;
  readonly records: number;
  readonly rows: number;
  readonly requests: number;
  readonly events: number;
  readonly peakBytes: number | null;
}

export interface Replica {
  readonly connection: BenchConnection;
  readonly worker: BenchWorker;
  readonly replication: Replication;
}

/** Reads the history and goes on replicating; end it with `endReplica`. */
export async function replicate(
  stack: Stack,
  database: Database,
  sandbox: Sandbox,
  input: Partial<ConnectionInput>,
): Promise<Replica> {
  connections += 1;
  const startedMs = performance.now();
  const requestsBefore = sandbox.stats().requests;
  const worker = await startBenchWorker(environment(stack, database.url, sandbox.url));
  const connection = await BenchConnection.start(stack, {
    ...{ name: `ours_${connections}`, startDate: START_DATE, every: '31d' },
    ...input,
  });
  const { seconds, events, result } = await connection.historicalSync();
  if (result.outcome !== 'complete') throw new Error(`the sync is ${result.outcome}`);
  return {
    ...{ connection, worker },
    replication: {
      ...{ seconds, events, records: result.records, rows: result.rows },
      wallSeconds: (performance.now() - startedMs) / 1000,
      requests: sandbox.stats().requests - requestsBefore,
      peakBytes: worker.peakBytes(),
    },
  };
}

export async function endReplica({ connection, worker }: Replica): Promise<void> {
  await connection.end();
  await worker.stop();
}
