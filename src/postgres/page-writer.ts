import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Cell, Denested, Row } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import type { Table } from '../core/schema.js';
import type { Catalog, Names } from './catalog.js';
import type { Counts } from './checkpoints.js';
import type { LoadDeps } from './load.js';
import { isRecordFault, sqlstateOf } from './sqlstate.js';
import * as sql from './statements.js';

/** Writes the records of one page and their subtables, inside the page's transaction. */
export interface PageContext {
  readonly catalog: Pick<Catalog, 'shape'>;
  readonly names: Names;
  readonly stream: string;
  readonly receivedAt: Instant;
  /** The page's first `_sdc_sequence`, as text, since it has more digits than a number holds. */
  readonly sequence: string;
  readonly probe: LoadDeps['probe'];
}

export interface Written {
  readonly counts: Omit<Counts, 'fetched' | 'rejected'>;
  /** Records that PostgreSQL did not take, and what it said; only when written carefully. */
  readonly refused: readonly { readonly record: Denested; readonly sqlstate: string }[];
}

interface Candidate {
  readonly record: Denested;
  readonly hash: string;
  /** Position in the page: makes the sequence of the page's records distinct and ordered. */
  readonly ordinal: number;
}

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
  async write(records: readonly Denested[], isCareful: boolean): Promise<Written> {
    const [root] = this.tables;
    if (root === undefined || records.length === 0) return { counts: NONE, refused: [] };
    const all = records.map((record, ordinal) => ({
      ...{ record, ordinal },
      hash: createHash('md5').update(record.content).digest('hex'),
    }));
    const changed = await this.leaveUnchanged(root, all);
    const written = isCareful
      ? await this.writeByHalves(root, changed)
      : { counts: await this.writeChanged(root, changed, false), refused: [] };
    const unchanged = { ...NONE, unchanged: all.length - changed.length };
    return { ...written, counts: addCounts(written.counts, unchanged) };
  }

  /** Those that are not in the table in exactly this version. */
  private async leaveUnchanged(
    root: Table,
    all: readonly Candidate[],
  ): Promise<readonly Candidate[]> {
    const { catalog, names, stream } = this.context;
    const { rows } = await this.client.query<{ index: number }>(
      sql.findUnchanged(catalog.shape(root)),
      [
        all.map(({ record }) => record.key),
        all.map(({ hash }) => hash),
        names.repairedAt.get(stream) ?? null,
      ],
    );
    const unchanged = new Set(rows.map(({ index }) => index));
    return all.filter((_, index) => !unchanged.has(index));
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
    const { candidates, repeated } = this.isUpsert
      ? newestOfEach(all)
      : { candidates: [...all], repeated: 0 };
    // In key order, so that two workers can never wait for each other in a circle.
    candidates.sort((a, b) => compare(a.record.key, b.record.key) || a.ordinal - b.ordinal);

    const rewritten = await this.removeDamaged(root, candidates);
    const accepted = candidates.length === 0 ? NOTHING : await this.writeRoots(root, candidates);
    await probe('roots-written');
    const written = candidates.filter(({ ordinal }) => accepted.has(ordinal));
    // Somebody may have deleted a record by hand and left its rows; they are in the way of new ones.
    const replaced = written.filter(({ ordinal }) => isCareful || accepted.get(ordinal) === false);
    const rows = await this.writeSubtables(written, this.isUpsert ? replaced : []);
    await probe('subtables-written');

    const inserted = [...accepted.values()].filter(Boolean).length - rewritten;
    const left = all.length - accepted.size - repeated;
    return {
      inserted,
      updated: accepted.size - inserted,
      // An append-only table refuses a version for one reason only: it is there already.
      unchanged: this.isUpsert ? repeated : left,
      stale: this.isUpsert ? left : 0,
      rows: accepted.size + rows,
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
      [candidates.map(({ record }) => record.key), candidates.map(({ hash }) => hash)],
    );
    return rows[0]?.count ?? 0;
  }

  /** Ordinals of the accepted records, and whether each row is new. */
  private async writeRoots(
    root: Table,
    candidates: readonly Candidate[],
  ): Promise<ReadonlyMap<number, boolean>> {
    const rows = candidates.map((candidate) =>
      this.rowText(candidate, candidate.record.rows[0] as Row, `,"h":"${candidate.hash}"`),
    );
    const result = await this.insert(root, rows);
    return new Map(result.rows.map((row) => [row.ordinal, row.is_new]));
  }

  /**
   * Statements are sent one after the other without waiting, so PostgreSQL works on one table while
   * the next one's rows are being made. Returns the number of rows.
   */
  private async writeSubtables(
    candidates: readonly Candidate[],
    replaced: readonly Candidate[],
  ): Promise<number> {
    const subtables = this.tables.slice(1);
    const rowsByTable = new Map<string, { row: Row; candidate: Candidate }[]>();
    for (const candidate of candidates) {
      for (const row of candidate.record.rows.slice(1)) {
        const rows = rowsByTable.get(row.table);
        if (rows === undefined) rowsByTable.set(row.table, [{ row, candidate }]);
        else rows.push({ row, candidate });
      }
    }
    const sent: Promise<unknown>[] = [];
    let count = 0;
    if (replaced.length > 0 && subtables.length > 0) {
      const text = sql.deleteChildren(subtables.map((table) => this.context.catalog.shape(table)));
      sent.push(this.client.query(text, [replaced.map(({ record }) => record.key)]));
    }
    for (const table of subtables) {
      const rows = rowsByTable.get(table.path);
      if (rows === undefined) continue;
      count += rows.length;
      const texts = rows.map(({ row, candidate }) => this.rowText(candidate, row));
      sent.push(this.insert(table, texts));
    }
    await Promise.all(sent);
    return count;
  }

  private insert(
    table: Table,
    rows: readonly string[],
  ): Promise<pg.QueryResult<{ ordinal: number; is_new: boolean }>> {
    const { catalog, receivedAt, sequence } = this.context;
    const text = sql.insertRows(catalog.shape(table), table.columns);
    return this.client.query(text, [`[${rows.join(',')}]`, receivedAt, sequence]);
  }

  /**
   * A row as `statements.ts` reads it. Text at once: to build thousands of objects that have all
   * different keys takes longer than PostgreSQL takes for the rest.
   */
  private rowText({ record, ordinal }: Candidate, row: Row, more = ''): string {
    const { schema } = this.context.names;
    let text = `{"k":${JSON.stringify(record.key)},"n":${ordinal}${more}`;
    for (const [level, position] of row.levels.entries()) text += `,"l${level}":${position}`;
    const columns = schema.table(row.table)?.columns ?? [];
    let overflow = '';
    for (const cell of row.cells) {
      const index = schema.columnIndex(row.table, cell);
      const column = index === undefined ? undefined : columns[index];
      if (column === undefined) throw new TypeError('a page was written before its columns');
      if (column.place === 'column') text += `,"c${index}":${valueText(cell)}`;
      else
        overflow += `${overflow === '' ? '' : ','}${JSON.stringify(column.name)}:${jsonOf(cell)}`;
    }
    return overflow === '' ? `${text}}` : `${text},"o":${JSON.stringify(`{${overflow}}`)}}`;
  }
}

/** A value inside `_sdc_overflow`, where nothing but its own JSON tells its type. */
function jsonOf({ type, value }: Cell): string {
  return type === 'text' || type === 'timestamptz' ? JSON.stringify(value) : String(value);
}

/** Only texts can hold what JSON must escape. */
function valueText({ type, value }: Cell): string {
  if (type === 'text' || type === 'jsonb') return JSON.stringify(value);
  return typeof value === 'string' ? `"${value}"` : String(value);
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
    if (other?.hash === candidate.hash) repeated += 1;
    const isOlder = (candidate.record.version ?? '') < (other?.record.version ?? '');
    if (other === undefined || !isOlder) newest.set(candidate.record.key, candidate);
  }
  return { candidates: [...newest.values()], repeated };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const NOTHING: ReadonlyMap<number, boolean> = new Map();
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
