import type pg from 'pg';
import type { Denested, Reject } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import type { Position } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { Catalog } from './catalog.js';
import { advance, takeFence, type Counts, type SliceRef } from './checkpoints.js';
import { PageWriter } from './page-writer.js';
import { inTransaction } from './pool.js';
import { takeRejects, writeRejects, type KeptReject } from './rejects.js';
import { databaseError, isMissingObject, isRecordFault, sqlstateOf } from './sqlstate.js';
import * as sql from './statements.js';

/**
 * Loads one page: its rows, the rows of its subtables, its rejects and the new checkpoint commit
 * together or not at all.
 */
export interface Batch {
  readonly ref: SliceRef;
  /** Version of the checkpoint that this page follows; the fence. */
  readonly version: number;
  readonly records: readonly Denested[];
  readonly rejects: readonly Reject[];
  readonly receivedAt: Instant;
  /** Position after this page; null when the slice is complete with it. */
  readonly next: Position | null;
  readonly totalRecords: number | null;
  readonly requests: number;
  /** Rejects that these records come from; they are taken away in the same transaction. */
  readonly retried?: readonly KeptReject[];
}

export interface LoadDeps {
  readonly pool: pg.Pool;
  readonly catalog: Catalog;
  /** Called at each step inside the transaction; the fault tests kill the process there. */
  readonly probe: (point: string) => void | Promise<void>;
}

/** Thrown inside the transaction to begin it again with fresh names. */
class StaleNames extends Error {}

/**
 * How often a page is begun again, because names changed, objects were missing or a record was
 * refused. Only other workers' new fields can use up so many, and each of them is progress.
 */
const ATTEMPTS_MAX = 20;

/**
 * Throws SLICE_TAKEN when another attempt has moved the checkpoint, and the database's errors. A
 * record that PostgreSQL refuses does not stop its page: it is found by halving, and rejected.
 */
export async function loadPage(batch: Batch, deps: LoadDeps): Promise<Counts> {
  const { pool, catalog } = deps;
  let isCareful = false;
  let wasRepaired = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const page = await makeRoom(batch, catalog);
      const write = (client: pg.PoolClient): Promise<Counts> =>
        writePage(client, page, deps, isCareful);
      return await inTransaction(pool, write, sql.holdNames(batch.ref.schema));
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX) throw databaseError(error);
      if (error instanceof StaleNames) {
        await catalog.refresh();
      } else if (isMissingObject(error) && !wasRepaired) {
        wasRepaired = true;
        await catalog.repair();
      } else if (isRecordFault(error) && !isCareful) {
        isCareful = true;
      } else {
        throw databaseError(error);
      }
    }
  }
}

/**
 * Makes the tables and columns of a page. Where that cannot be (PostgreSQL has a limit of columns),
 * the records that need them are rejected, and the others go on.
 */
async function makeRoom(batch: Batch, catalog: Catalog): Promise<Batch> {
  try {
    await catalog.prepare(batch.records.flatMap(({ rows }) => rows));
    return batch;
  } catch (error) {
    if (!isRecordFault(error)) throw error;
  }
  const records: Denested[] = [];
  const rejects = [...batch.rejects];
  for (const record of batch.records) {
    try {
      await catalog.prepare(record.rows);
      records.push(record);
    } catch (error) {
      if (!isRecordFault(error)) throw error;
      rejects.push(refused(record, batch.ref.stream, sqlstateOf(error)));
    }
  }
  return { ...batch, records, rejects };
}

async function writePage(
  client: pg.PoolClient,
  batch: Batch,
  deps: LoadDeps,
  isCareful: boolean,
): Promise<Counts> {
  const { ref, records, rejects } = batch;
  const { catalog, probe } = deps;
  const { names } = catalog;
  const fence = await takeFence(client, ref, batch.version);
  if (fence === undefined) throw new ClosehaulError('SLICE_TAKEN', { stream: ref.stream });
  // With old names a field that another worker met would keep the value of an older version.
  if (fence.catalogVersion !== names.version) throw new StaleNames();
  await probe('fence-taken');
  // So that a constraint which is checked at COMMIT names its record here, between the savepoints.
  if (isCareful) await client.query('SET CONSTRAINTS ALL IMMEDIATE');

  // First, so that those that are refused again are kept again.
  if (batch.retried !== undefined) await takeRejects(client, ref.schema, batch.retried);
  const written = await new PageWriter(client, {
    ...{ catalog, names, stream: ref.stream, probe },
    ...{ receivedAt: batch.receivedAt, sequence: fence.sequence },
  }).write(records, isCareful);
  const allRejects = [
    ...rejects,
    ...written.refused.map(({ record, sqlstate }) => refused(record, ref.stream, sqlstate)),
  ];
  await writeRejects(client, ref.schema, allRejects);
  const counts = {
    ...written.counts,
    fetched: records.length + rejects.length,
    rejected: allRejects.length,
  };
  await advance(client, ref, {
    position: batch.next,
    isDone: batch.next === null,
    totalRecords: batch.totalRecords,
    requests: batch.requests,
    counts,
  });
  await probe('checkpoint-moved');
  return counts;
}

function refused(record: Denested, stream: string, sqlstate: string): Reject {
  return {
    record: record.record,
    table: stream,
    reason: `PostgreSQL refused the record (SQLSTATE ${sqlstate})`,
  };
}
