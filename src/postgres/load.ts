import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Denested, Reject, Row } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import { ExactNumber } from '../core/record.js';
import type { Table } from '../core/schema.js';
import type { Position } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { Catalog } from './catalog.js';
import { advance, takeFence, type Counts, type SliceRef } from './checkpoints.js';
import { inTransaction } from './pool.js';
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
}

export interface LoadDeps {
  readonly pool: pg.Pool;
  readonly catalog: Catalog;
  /** Called at each step inside the transaction; the fault tests kill the process there. */
  readonly probe: (point: string) => void | Promise<void>;
}

/** Thrown inside the transaction to begin it again with fresh names. */
class StaleNames extends Error {}

/** How often a page is begun again because names changed or objects were missing. */
const ATTEMPTS_MAX = 3;

/**
 * Throws SLICE_TAKEN when another attempt has moved the checkpoint, and the database's errors. A
 * record that PostgreSQL refuses does not stop its page: it is found by halving, and rejected.
 */
export async function loadPage(batch: Batch, deps: LoadDeps): Promise<Counts> {
  const { pool, catalog } = deps;
  let isCareful = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await catalog.prepare(batch.records.flatMap(({ rows }) => rows));
      return await inTransaction(pool, (client) => writePage(client, batch, deps, isCareful));
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX) throw databaseError(error);
      if (error instanceof StaleNames) await catalog.refresh();
      else if (isMissingObject(error)) await catalog.repair();
      else if (isRecordFault(error) && !isCareful) isCareful = true;
      else throw databaseError(error);
    }
  }
}

async function writePage(
  client: pg.PoolClient,
  batch: Batch,
  deps: LoadDeps,
  isCareful: boolean,
): Promise<Counts> {
  const { ref, records, rejects } = batch;
  const { catalog, probe } = deps;
  const fence = await takeFence(client, ref, batch.version);
  if (fence === undefined) throw new ClosehaulError('SLICE_TAKEN', { stream: ref.stream });
  if (fence.catalogVersion !== catalog.version) throw new StaleNames();
  await probe('fence-taken');

  const writer = new PageWriter(client, catalog, batch.receivedAt, fence.sequence, probe);
  const written = isCareful
    ? await writer.writeCarefully(ref.stream, records, 0)
    : await writer.write(ref.stream, records, 0);
  const allRejects = [...rejects, ...written.rejects];
  if (allRejects.length > 0) {
    const values = [JSON.stringify(allRejects.map(storedReject))];
    await client.query(sql.insertRejected(ref.schema), values);
  }
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

function storedReject(reject: Reject): { record: string; reason: string; table_name: string } {
  // The text as it came, with escapes for what PostgreSQL's text cannot hold.
  const record = JSON.stringify(reject.record, (_key, value: unknown) =>
    value instanceof ExactNumber ? value.text : value,
  );
  return {
    record: record.replaceAll('\\u0000', '\\\\u0000'),
    reason: reject.reason,
    table_name: reject.table,
  };
}

interface Written {
  readonly counts: Omit<Counts, 'fetched' | 'rejected'>;
  readonly rejects: readonly Reject[];
}

interface Candidate {
  readonly record: Denested;
  readonly hash: string;
  /** Position in the page: makes the sequence of the page's records distinct and ordered. */
  readonly ordinal: number;
}

class PageWriter {
  constructor(
    private readonly client: pg.PoolClient,
    private readonly catalog: Catalog,
    private readonly receivedAt: Instant,
    private readonly sequence: string,
    private readonly probe: LoadDeps['probe'],
  ) {}

  /** Writes by halves inside savepoints, until each record that is refused stands alone. */
  async writeCarefully(
    stream: string,
    records: readonly Denested[],
    offset: number,
  ): Promise<Written> {
    await this.client.query('SAVEPOINT half');
    try {
      const written = await this.write(stream, records, offset);
      await this.client.query('RELEASE SAVEPOINT half');
      return written;
    } catch (error) {
      if (!isRecordFault(error)) throw error;
      await this.client.query('ROLLBACK TO SAVEPOINT half');
      const [only] = records;
      if (only !== undefined && records.length === 1) {
        return { counts: NONE, rejects: [refused(only, stream, sqlstateOf(error))] };
      }
      const middle = Math.ceil(records.length / 2);
      const first = await this.writeCarefully(stream, records.slice(0, middle), offset);
      const second = await this.writeCarefully(stream, records.slice(middle), offset + middle);
      return {
        counts: addCounts(first.counts, second.counts),
        rejects: [...first.rejects, ...second.rejects],
      };
    }
  }

  async write(stream: string, records: readonly Denested[], offset: number): Promise<Written> {
    const [root, ...subtables] = this.catalog.schema.tablesOf(stream);
    if (root === undefined || records.length === 0) return { counts: NONE, rejects: [] };
    const isUpsert = this.catalog.shape(root).loading === 'upsert';
    const all = records.map((record, index) => ({
      record,
      hash: createHash('md5').update(record.content).digest('hex'),
      ordinal: offset + index,
    }));
    const { candidates, unchanged: repeated } = isUpsert
      ? newestOfEach(all)
      : { candidates: all, unchanged: 0 };
    // In key order, so that two workers can never wait for each other in a circle.
    candidates.sort((a, b) => (a.record.key < b.record.key ? -1 : 1));

    const accepted = await this.writeRoots(root, candidates);
    await this.probe('roots-written');
    const rows = await this.writeSubtables(subtables, candidates, accepted, isUpsert);
    await this.probe('subtables-written');

    const inserted = [...accepted.values()].filter(Boolean).length;
    const refusedCount = candidates.length - accepted.size;
    const same = await this.countUnchanged(root, candidates, accepted, isUpsert, refusedCount);
    return {
      counts: {
        inserted,
        updated: accepted.size - inserted,
        unchanged: same + repeated,
        stale: all.length - accepted.size - same - repeated,
        rows: accepted.size + rows,
      },
      rejects: [],
    };
  }

  /** Ordinals of the accepted records, and whether each row is new. */
  private async writeRoots(
    root: Table,
    candidates: readonly Candidate[],
  ): Promise<ReadonlyMap<number, boolean>> {
    const rows = candidates.map(({ record, hash, ordinal }) => ({
      k: record.key,
      n: ordinal,
      h: hash,
      ...this.cells(record.rows[0]),
    }));
    const text = sql.insertRows(this.catalog.shape(root), root.columns);
    const result = await this.client.query<{ ordinal: number; is_new: boolean }>(text, [
      JSON.stringify(rows),
      this.receivedAt,
      this.sequence,
    ]);
    return new Map(result.rows.map((row) => [row.ordinal, row.is_new]));
  }

  private async writeSubtables(
    subtables: readonly Table[],
    candidates: readonly Candidate[],
    accepted: ReadonlyMap<number, boolean>,
    isUpsert: boolean,
  ): Promise<number> {
    const replaced = candidates.filter(({ ordinal }) => accepted.get(ordinal) === false);
    const rowsByTable = new Map<string, object[]>();
    for (const { record, ordinal } of candidates) {
      if (!accepted.has(ordinal)) continue;
      for (const row of record.rows.slice(1)) {
        const rows = rowsByTable.get(row.table) ?? [];
        rows.push({ k: record.key, n: ordinal, ...levelsOf(row), ...this.cells(row) });
        rowsByTable.set(row.table, rows);
      }
    }
    let count = 0;
    for (const table of subtables) {
      const shape = this.catalog.shape(table);
      if (isUpsert && replaced.length > 0) {
        const keys = replaced.map(({ record }) => record.key);
        await this.client.query(sql.deleteChildren(shape), [keys]);
      }
      const rows = rowsByTable.get(table.path);
      if (rows === undefined) continue;
      const values = [JSON.stringify(rows), this.receivedAt, this.sequence];
      await this.client.query(sql.insertRows(shape, table.columns), values);
      count += rows.length;
    }
    return count;
  }

  private async countUnchanged(
    root: Table,
    candidates: readonly Candidate[],
    accepted: ReadonlyMap<number, boolean>,
    isUpsert: boolean,
    refusedCount: number,
  ): Promise<number> {
    // An append-only table refuses a version for one reason only: it is there already.
    if (!isUpsert || refusedCount === 0) return refusedCount;
    const rows = candidates
      .filter(({ ordinal }) => !accepted.has(ordinal))
      .map(({ record, hash }) => ({ k: record.key, h: hash }));
    const text = sql.countUnchanged(this.catalog.shape(root));
    const result = await this.client.query<{ unchanged: number }>(text, [JSON.stringify(rows)]);
    return result.rows[0]?.unchanged ?? 0;
  }

  private cells(row: Row | undefined): Record<string, unknown> {
    const cells: Record<string, unknown> = {};
    for (const cell of row?.cells ?? []) {
      const index = this.catalog.schema.columnIndex(row?.table ?? '', cell);
      if (index === undefined) throw new StaleNames();
      cells[`c${index}`] = cell.value;
    }
    return cells;
  }
}

function levelsOf(row: Row): Record<string, number> {
  return Object.fromEntries(row.levels.map((position, level) => [`l${level}`, position]));
}

/**
 * One version of each record for an upsert: a statement cannot write one row twice. The newest
 * wins; of equal ones the later in the page.
 */
function newestOfEach(all: readonly Candidate[]): { candidates: Candidate[]; unchanged: number } {
  const newest = new Map<string, Candidate>();
  let unchanged = 0;
  for (const candidate of all) {
    const other = newest.get(candidate.record.key);
    if (other?.hash === candidate.hash) unchanged += 1;
    const isOlder = (candidate.record.version ?? '') < (other?.record.version ?? '');
    if (other === undefined || !isOlder) newest.set(candidate.record.key, candidate);
  }
  return { candidates: [...newest.values()], unchanged };
}

function refused(record: Denested, stream: string, sqlstate: string): Reject {
  return {
    record: record.record,
    table: stream,
    reason: `PostgreSQL refused the record (SQLSTATE ${sqlstate})`,
  };
}

const NONE: Written['counts'] = { inserted: 0, updated: 0, unchanged: 0, stale: 0, rows: 0 };

function addCounts(a: Written['counts'], b: Written['counts']): Written['counts'] {
  return {
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    stale: a.stale + b.stale,
    rows: a.rows + b.rows,
  };
}
