import type pg from 'pg';
import type { Row } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import type { Table } from '../core/schema.js';
import type { Catalog, Names } from './catalog.js';
import type { Counts } from './checkpoints.js';
import { copyIn } from './copy-in.js';
import type { LoadDeps } from './load.js';
import type { LoadableRecord } from './loadable.js';
import { CopyLines, mergeJson, recordStamp } from './row-text.js';
import { isRecordFault, sqlstateOf } from './sqlstate.js';
import * as sql from './statements.js';

/** Writes the records of one page and their subtables, inside the page's transaction. */
export interface PageContext {
  readonly catalog: Pick<Catalog, 'shape'>;
  readonly names: Names;
  readonly stream: string;
  readonly receivedAt: Instant;
  /** When the page's transaction began. */
  readonly batchedAt: Instant;
  /** The page's first `_sdc_sequence`, as text, since it has more digits than a number holds. */
  readonly sequence: string;
  /** Whether the page is the first of its slice. */
  readonly isFirst: boolean;
  readonly probe: LoadDeps['probe'];
}

export interface Written {
  readonly counts: Omit<Counts, 'fetched' | 'rejected'>;
  /** Records that PostgreSQL did not take, and what it said; only when written carefully. */
  readonly refused: readonly { readonly record: LoadableRecord; readonly sqlstate: string }[];
}

interface Candidate {
  readonly record: LoadableRecord;
  /** Position in the page: makes the sequence of the page's records distinct and ordered. */
  readonly ordinal: number;
  /** Whether the table has another version of it, so that it must be merged. */
  readonly isKnown: boolean;
}

/** Ordinals of the records that were accepted, and whether each row is new. */
type Accepted = ReadonlyMap<number, boolean>;

export class PageWriter {
  private readonly isUpsert: boolean;
  private readonly tables: readonly Table[];

  constructor(
    private readonly client: pg.PoolClient,
    private readonly context: PageContext,
  ) {
    const { catalog, names, stream } = context;
    this.tables = names.schema.tablesOf(stream);
    this.isUpsert = this.tables.some((table) => catalog.shape(table).loading === 'upsert');
  }

  /** `isCareful`: by halves inside savepoints, until each record that is refused stands alone. */
  async write(records: readonly LoadableRecord[], isCareful: boolean): Promise<Written> {
    const [root] = this.tables;
    if (root === undefined || records.length === 0) return { counts: NONE, refused: [] };
    const changed = await this.changed(root, records);
    const written = isCareful
      ? await this.writeByHalves(root, changed)
      : { counts: await this.writeChanged(root, changed, false), refused: [] };
    const unchanged = { ...NONE, unchanged: records.length - changed.length };
    return { ...written, counts: addCounts(written.counts, unchanged) };
  }

  /** Those that are not in the table in exactly this version. */
  private async changed(
    root: Table,
    records: readonly LoadableRecord[],
  ): Promise<readonly Candidate[]> {
    const { catalog, names, stream } = this.context;
    const { rows } = await this.client.query<{ index: number; is_same: boolean }>(
      sql.findKnown(catalog.shape(root)),
      [
        records.map(({ key }) => key),
        records.map(({ hash }) => hash),
        names.repairedAt.get(stream) ?? null,
      ],
    );
    const known = new Map(rows.map(({ index, is_same: isSame }) => [index, isSame]));
    return records.flatMap((record, ordinal) => {
      const isSame = known.get(ordinal);
      return isSame === true ? [] : [{ record, ordinal, isKnown: isSame !== undefined }];
    });
  }

  private async writeByHalves(root: Table, candidates: readonly Candidate[]): Promise<Written> {
    const [only] = candidates;
    if (only === undefined) return { counts: NONE, refused: [] };
    await this.client.query('SAVEPOINT half');
    try {
      const counts = await this.writeChanged(root, candidates, true);
      await this.client.query('RELEASE SAVEPOINT half');
      return { counts, refused: [] };
    } catch (error) {
      if (!isRecordFault(error)) throw error;
      await this.client.query('ROLLBACK TO SAVEPOINT half; RELEASE SAVEPOINT half');
      if (candidates.length === 1) {
        return { counts: NONE, refused: [{ record: only.record, sqlstate: sqlstateOf(error) }] };
      }
    }
    const middle = Math.ceil(candidates.length / 2);
    const first = await this.writeByHalves(root, candidates.slice(0, middle));
    const second = await this.writeByHalves(root, candidates.slice(middle));
    return {
      counts: addCounts(first.counts, second.counts),
      refused: [...first.refused, ...second.refused],
    };
  }

  private async writeChanged(
    root: Table,
    all: readonly Candidate[],
    isCareful: boolean,
  ): Promise<Written['counts']> {
    const { probe } = this.context;
    const { candidates, repeated } = this.isUpsert ? newestOfEach(all) : oneOfEachVersion(all);
    // In key order, so that two workers can never wait for each other in a circle.
    candidates.sort((a, b) => compare(a.record.key, b.record.key) || a.ordinal - b.ordinal);

    const rewritten = await this.removeDamaged(root, candidates);
    const isMerged = ({ isKnown }: Candidate): boolean => isCareful || (isKnown && this.isUpsert);
    const merged = await this.mergeRoots(root, candidates.filter(isMerged));
    const fresh = candidates.filter((candidate) => !isMerged(candidate));
    const accepted = new Map([...merged, ...fresh.map(({ ordinal }) => [ordinal, true] as const)]);
    await probe('roots-merged');

    const written = candidates.filter(({ ordinal }) => accepted.has(ordinal));
    // Somebody may have deleted a record by hand and left its rows; they are in the way of new ones.
    const replaced = written.filter(({ ordinal }) => isCareful || accepted.get(ordinal) === false);
    const copied = this.linesOf(written, new Set(fresh));
    await Promise.all([
      this.deleteChildren(this.isUpsert ? replaced : []),
      ...copied.map(({ statement, lines }) => copyIn(this.client, statement, lines.text())),
    ]);
    await probe('rows-written');

    const inserted = [...accepted.values()].filter(Boolean).length - rewritten;
    const left = all.length - accepted.size - repeated;
    return {
      inserted,
      updated: accepted.size - inserted,
      // An append-only table refuses a version for one reason only: it is there already.
      unchanged: repeated + (this.isUpsert ? 0 : left),
      stale: this.isUpsert ? left : 0,
      rows: merged.size + copied.reduce((sum, { lines }) => sum + lines.count, 0),
    };
  }

  /**
   * Takes away versions of append-only records that lack what somebody dropped by hand, so that they
   * are written whole; returns how many.
   */
  private async removeDamaged(root: Table, candidates: readonly Candidate[]): Promise<number> {
    const { catalog, names, stream } = this.context;
    if (this.isUpsert || !names.repairedAt.has(stream)) return 0;
    const [own, ...subtables] = [root, ...this.tables.slice(1)].map((table) =>
      catalog.shape(table),
    );
    const { rows } = await this.client.query<{ count: number }>(
      sql.deleteVersions(own as sql.TableShape, subtables),
      [candidates.map(({ record }) => record.key), candidates.map(({ record }) => record.hash)],
    );
    return rows[0]?.count ?? 0;
  }

  /**
   * Also without a record on the first page of a slice: where the table's key is gone, PostgreSQL
   * refuses to merge, and would copy records twice.
   */
  private async mergeRoots(root: Table, candidates: readonly Candidate[]): Promise<Accepted> {
    if (candidates.length === 0 && !this.context.isFirst) return new Map();
    const { catalog, names, receivedAt, sequence } = this.context;
    const rows = candidates.map(({ record: { key, hash, rows: own }, ordinal }) =>
      mergeJson(names.schema, root, own[0] as Row, { key, ordinal, hash }),
    );
    const merged = await this.client.query<{ ordinal: number; is_new: boolean }>(
      sql.mergeRoots(catalog.shape(root), root.columns),
      [`[${rows.join(',')}]`, receivedAt, sequence],
    );
    return new Map(merged.rows.map((row) => [row.ordinal, row.is_new]));
  }

  /** Takes away the rows of all subtables of records that are about to be written again. */
  private async deleteChildren(candidates: readonly Candidate[]): Promise<void> {
    const subtables = this.tables.slice(1).map((table) => this.context.catalog.shape(table));
    if (candidates.length === 0 || subtables.length === 0) return;
    const keys = candidates.map(({ record }) => record.key);
    await this.client.query(sql.deleteChildren(subtables), [keys]);
  }

  /** The lines for COPY of each table, the root's first: of `fresh` records only. */
  private linesOf(
    written: readonly Candidate[],
    fresh: ReadonlySet<Candidate>,
  ): readonly { readonly statement: string; readonly lines: CopyLines }[] {
    const { catalog, names, receivedAt, batchedAt, sequence } = this.context;
    const byTable = new Map(
      this.tables.map((table) => [table.path, new CopyLines(names.schema, table)]),
    );
    for (const candidate of written) {
      const { record, ordinal } = candidate;
      const own = BigInt(sequence) + BigInt(ordinal);
      const stamp = recordStamp(record.key, [receivedAt, batchedAt, own.toString()]);
      for (const row of record.rows) {
        const isRoot = row.levels.length === 0;
        if (isRoot && !fresh.has(candidate)) continue;
        byTable.get(row.table)?.add(row, stamp, isRoot ? record.hash : undefined);
      }
    }
    return this.tables.flatMap((table) => {
      const lines = byTable.get(table.path);
      if (lines === undefined || lines.count === 0) return [];
      return [{ statement: sql.copyRows(catalog.shape(table), table.columns), lines }];
    });
  }
}

/**
 * One version of each record for an upsert: a statement cannot write one row twice. The newest
 * wins; of equal ones the later in the page. `repeated` counts the ones that are the same.
 */
function newestOfEach(all: readonly Candidate[]): { candidates: Candidate[]; repeated: number } {
  const newest = new Map<string, Candidate>();
  let repeated = 0;
  for (const candidate of all) {
    const other = newest.get(candidate.record.key);
    if (other?.record.hash === candidate.record.hash) repeated += 1;
    const isOlder = (candidate.record.version ?? '') < (other?.record.version ?? '');
    if (other === undefined || !isOlder) newest.set(candidate.record.key, candidate);
  }
  return { candidates: [...newest.values()], repeated };
}

/** One of each version, for an append-only table: COPY takes no row twice. */
function oneOfEachVersion(all: readonly Candidate[]): {
  candidates: Candidate[];
  repeated: number;
} {
  const versions = new Map(
    all.map((candidate) => [`${candidate.record.hash} ${candidate.record.key}`, candidate]),
  );
  return { candidates: [...versions.values()], repeated: all.length - versions.size };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
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
