import type pg from 'pg';
import type { Reject } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import type { CensusPage, CompletePass, Effect, Settled } from '../core/ports.js';
import type { Position } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { Catalog, Names } from './catalog.js';
import {
  addCounts,
  addEffectCounts,
  advance,
  NO_COUNTS,
  takeFence,
  type Counts,
  type Fence,
  type SliceRef,
} from './checkpoints.js';
import type { LoadableRecord, RecordBatch } from './loadable.js';
import { PageWriter } from './page-writer.js';
import { inTransaction } from './pool.js';
import { compare, conclude, keepPresent, settle } from './reconciliations.js';
import { takeRejects, writeRejects, type KeptReject } from './rejects.js';
import { databaseError, isMissingObject, isRecordFault, sqlstateOf } from './sqlstate.js';
import * as sql from './statements.js';
import {
  bury,
  buryAbsent,
  buryGone,
  holdStreams,
  judge,
  type TombstoneContext,
} from './tombstones.js';

/**
 * Loads one page: its rows, the rows of its subtables, its rejects, what it tells of other streams and
 * the new checkpoint commit together or not at all.
 */
export interface Batch extends RecordBatch {
  readonly ref: SliceRef;
  /** Version of the checkpoint that this page follows; the fence. */
  readonly version: number;
  readonly receivedAt: Instant;
  /** Position after this page; null when the slice is complete with it. */
  readonly next: Position | null;
  /** With the last page: the source counted more than it gave, so the slice begins anew. */
  readonly isShort?: boolean;
  readonly totalRecords: number | null;
  readonly requests: number;
  /** In the order in which every page writes to those streams. */
  readonly effects?: readonly EffectBatch[];
  readonly pass?: CompletePass;
  readonly note?: string;
  readonly isSkipped?: boolean;
  readonly hasGap?: boolean;
  readonly census?: CensusPage;
  readonly settled?: Settled;
  /** Rejects that these records come from; they are taken away in the same transaction. */
  readonly retried?: readonly KeptReject[];
}

export interface EffectBatch
  extends RecordBatch, Pick<Effect, 'stream' | 'tombstones' | 'closes'> {}

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
  const locks = `${sql.holdNames(batch.ref.schema)}; ${holdStreams(batch.ref.schema, locksOf(batch))}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const page = await makeRoomForAll(batch, catalog);
      const write = (client: pg.PoolClient): Promise<Counts> =>
        writePage(client, page, deps, isCareful);
      return await catalog.holdNames(() => inTransaction(pool, write, locks));
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

function locksOf({
  ref,
  effects = [],
  pass,
  settled,
}: Batch): ReadonlyMap<string, 'shared' | 'alone'> {
  const locks = new Map<string, 'shared' | 'alone'>();
  for (const { stream, tombstones } of effects) {
    if (tombstones.length > 0) locks.set(stream, 'alone');
    else if (!locks.has(stream)) locks.set(stream, 'shared');
  }
  const isAlone = pass !== undefined || settled !== undefined;
  return locks.set(ref.stream, isAlone ? 'alone' : (locks.get(ref.stream) ?? 'shared'));
}

async function makeRoomForAll(batch: Batch, catalog: Catalog): Promise<Batch> {
  const own = await makeRoom(batch, batch.ref.stream, catalog);
  const effects: EffectBatch[] = [];
  for (const effect of batch.effects ?? []) {
    effects.push({ ...effect, ...(await makeRoom(effect, effect.stream, catalog)) });
  }
  return { ...batch, ...own, effects };
}

/**
 * Makes the tables and columns of a page. Where that cannot be (PostgreSQL has a limit of columns),
 * the records that need them are rejected, and the others go on.
 */
async function makeRoom(
  batch: RecordBatch,
  stream: string,
  catalog: Catalog,
): Promise<RecordBatch> {
  try {
    await catalog.prepare(batch.records.flatMap(({ rows }) => rows));
    return { records: batch.records, rejects: batch.rejects };
  } catch (error) {
    if (!isRecordFault(error)) throw error;
  }
  const records: LoadableRecord[] = [];
  const rejects = [...batch.rejects];
  for (const record of batch.records) {
    try {
      await catalog.prepare(record.rows);
      records.push(record);
    } catch (error) {
      if (!isRecordFault(error)) throw error;
      rejects.push(refused(record, stream, sqlstateOf(error)));
    }
  }
  return { records, rejects };
}

/** What all the writes of one page share. */
interface PageWrites {
  readonly client: pg.PoolClient;
  readonly batch: Batch;
  readonly deps: LoadDeps;
  readonly names: Names;
  readonly fence: Fence;
  readonly isCareful: boolean;
}

async function writePage(
  client: pg.PoolClient,
  batch: Batch,
  deps: LoadDeps,
  isCareful: boolean,
): Promise<Counts> {
  const { ref, pass } = batch;
  const { probe } = deps;
  const { names } = deps.catalog;
  const fence = await takeFence(client, ref, batch.version);
  if (fence === undefined) throw new ClosehaulError('SLICE_TAKEN', { stream: ref.stream });
  // With old names a field that another worker met would keep the value of an older version.
  if (fence.catalogVersion !== names.version) throw new StaleNames();
  await probe('fence-taken');
  // So that a constraint which is checked at COMMIT names its record here, between the savepoints.
  if (isCareful) await client.query('SET CONSTRAINTS ALL IMMEDIATE');

  // First, so that those that are refused again are kept again.
  if (batch.retried !== undefined) await takeRejects(client, ref.schema, batch.retried);
  const writes = { client, batch, deps, names, fence, isCareful };
  let counts = await writeStream(writes, ref.stream, batch);
  for (const effect of batch.effects ?? []) {
    const told = await writeStream(writes, effect.stream, effect);
    const buried = await bury(tombstoneContext(writes, effect.stream), effect.tombstones);
    const sum = addCounts(told, countBuried(effect.tombstones.length, buried));
    await addEffectCounts(client, { ...ref, stream: effect.stream }, sum);
  }
  if (pass !== undefined) {
    const buried = await buryAbsent(tombstoneContext(writes, ref.stream), pass);
    counts = addCounts(counts, countBuried(buried.marked, buried));
  }
  counts = addCounts(counts, await reconcile(writes));
  await advance(client, ref, {
    position: batch.next,
    isDone: batch.next === null && batch.isShort !== true,
    totalRecords: batch.totalRecords,
    requests: batch.requests,
    counts,
    closes: (batch.effects ?? []).flatMap(({ stream, closes: part }) =>
      part === undefined ? [] : [{ stream, part }],
    ),
    note: batch.note ?? null,
    isSkipped: batch.isSkipped ?? false,
    hasGap: batch.hasGap ?? false,
  });
  await probe('checkpoint-moved');
  return counts;
}

/** What a page of a reconciliation says: of what there is, or of what was found to differ. */
async function reconcile(writes: PageWrites): Promise<Counts> {
  const { client, batch } = writes;
  const { census, settled, ref, receivedAt, note = null } = batch;
  const context = tombstoneContext(writes, ref.stream);
  const place = { client, ref, root: context.root };
  if (census !== undefined) {
    await keepPresent(place, census.present);
    if (census.end !== undefined) await compare(place, census.end, note);
  }
  if (settled === undefined) return NO_COUNTS;
  const buried = await buryGone(context, settled.gone, receivedAt);
  await settle(place, settled);
  if (batch.next === null) await conclude(place);
  return countBuried(buried.marked, buried);
}

/** Writes the records of one stream, and its rejects. */
async function writeStream(
  writes: PageWrites,
  stream: string,
  { records, rejects }: RecordBatch,
): Promise<Counts> {
  const { client, batch, deps, names, fence, isCareful } = writes;
  const { catalog, probe } = deps;
  const written = await new PageWriter(client, {
    ...{ catalog, names, stream, probe },
    ...{ receivedAt: batch.receivedAt, batchedAt: fence.batchedAt, sequence: fence.sequence },
    isFirst: batch.version === 0,
  }).write(records, isCareful);
  await judge(
    tombstoneContext(writes, stream),
    records.map(({ key }) => key),
    batch.receivedAt,
  );
  const allRejects = [
    ...rejects,
    ...written.refused.map(({ record, sqlstate }) => refused(record, stream, sqlstate)),
  ];
  await writeRejects(client, batch.ref.schema, allRejects);
  const fetched = records.length + rejects.length;
  return { ...written.counts, fetched, rejected: allRejects.length };
}

function tombstoneContext(
  { client, batch, deps, names }: PageWrites,
  stream: string,
): TombstoneContext {
  const [root] = names.schema.tablesOf(stream);
  const shape = root === undefined ? undefined : deps.catalog.shape(root);
  return { client, schema: batch.ref.schema, stream, root: shape };
}

/** A tombstone counts as a record that was fetched: `updated` when it marked one, else `unchanged`. */
function countBuried(told: number, { marked, rows }: { marked: number; rows: number }): Counts {
  const none = { inserted: 0, stale: 0, rejected: 0 };
  return { fetched: told, updated: marked, unchanged: told - marked, rows, ...none };
}

function refused(record: LoadableRecord, stream: string, sqlstate: string): Reject {
  return {
    record: record.record,
    table: stream,
    reason: `PostgreSQL refused the record (SQLSTATE ${sqlstate})`,
  };
}
