import type { Cell, Row } from './denest.js';
import { chooseName, COLUMN_BYTES_MAX, TABLE_BYTES_MAX } from './naming.js';
import { cellBytes, mayBeTooWide, ROW_BYTES_MAX } from './row-width.js';
import { fittingType, TYPE_SUFFIX, type ColumnType, type TypedValue } from './typing.js';

/**
 * The tables and columns of one warehouse schema, and what rows need that is not there yet.
 *
 *   schema.add([row of leads with the new field `source`])  →  [{ table: leads, columns: [source text] }]
 *
 * Invariant: only ever grows. A field keeps its column; a second type of it gets a column beside.
 * What PostgreSQL has no room for goes to `_sdc_overflow`, for each row of the table and for ever.
 */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The field's path inside its table. */
  readonly path: string;
  /**
   * Where its values go:
   * - `column`    to the column
   * - `overflow`  to `_sdc_overflow`, from the first one on: there is no column
   * - `moved`     to `_sdc_overflow` from now on; the column keeps what was loaded before
   */
  readonly place: 'column' | 'overflow' | 'moved';
}

/**
 * PostgreSQL's limit is 1,600 columns, those counted that were dropped by hand; the rest is for the
 * users' own.
 */
export const COLUMNS_MAX = 1_400;

export interface Table {
  readonly path: string;
  readonly name: string;
  readonly stream: string;
  /** How many arrays deep; 0 for the stream's own table. */
  readonly levels: number;
  readonly columns: readonly Column[];
}

export interface SchemaChange {
  readonly table: Table;
  readonly isNew: boolean;
  /** New ones, and those of which the place has changed. */
  readonly columns: readonly Column[];
}

/** Names of columns that are in a table of the destination already, ours and others', by table name. */
export type ColumnsThere = ReadonlyMap<string, ReadonlySet<string>>;

export interface SchemaRules {
  /** Column names that the destination keeps for itself in a table so many levels deep. */
  readonly reservedColumns: (levels: number) => readonly string[];
  readonly reservedTables: readonly string[];
  /** The version field of a stream: its column is there from the first row on. */
  readonly versionField: (stream: string) => string | null;
}

interface MutableTable extends Table {
  readonly columns: Column[];
  /** Field path → type → index of the column. */
  readonly byPath: Map<string, Map<ColumnType, number>>;
}

export class Schema {
  private readonly tables = new Map<string, MutableTable>();

  constructor(private readonly rules: SchemaRules) {}

  /** Puts back a table and its columns as they were stored. */
  restore(table: Omit<Table, 'columns'>, columns: readonly Column[]): void {
    const entry = { ...table, columns: [], byPath: new Map() } as MutableTable;
    for (const column of columns) append(entry, column);
    this.tables.set(table.path, entry);
  }

  table(path: string): Table | undefined {
    return this.tables.get(path);
  }

  /** Every table of a stream, its own first. */
  tablesOf(stream: string): readonly Table[] {
    return this.all().filter((table) => table.stream === stream);
  }

  all(): readonly Table[] {
    return [...this.tables.values()].sort((a, b) => a.levels - b.levels);
  }

  /** Index of the column that takes this cell; undefined when there is none yet. */
  columnIndex(tablePath: string, cell: Pick<Cell, 'path'> & TypedValue): number | undefined {
    const byType = this.tables.get(tablePath)?.byPath.get(cell.path);
    if (byType === undefined) return undefined;
    const direct = byType.get(cell.type);
    if (direct !== undefined) return direct;
    const type = fittingType(cell, new Set(byType.keys()));
    return type === undefined ? undefined : byType.get(type);
  }

  lacks(row: Row): boolean {
    const table = this.tables.get(row.table);
    if (table === undefined) return true;
    if (row.cells.some((cell) => this.columnIndex(row.table, cell) === undefined)) return true;
    return mayBeTooWide(row) && this.widthOf(row, table) > ROW_BYTES_MAX;
  }

  /** Adds what `rows` need and tells what that was. */
  add(rows: Iterable<Row>, there: ColumnsThere = new Map()): readonly SchemaChange[] {
    const changes = new Map<
      string,
      { table: MutableTable; isNew: boolean; changed: Set<number> }
    >();
    for (const row of rows) {
      const known = this.tables.get(row.table);
      const table = known ?? this.addTable(row);
      const change = changes.get(row.table) ?? {
        table,
        isNew: known === undefined,
        changed: new Set(),
      };
      changes.set(row.table, change);
      if (known === undefined) for (const index of table.columns.keys()) change.changed.add(index);
      for (const cell of row.cells) {
        if (this.columnIndex(row.table, cell) !== undefined) continue;
        this.addColumn(table, cell, there.get(table.name));
        change.changed.add(table.columns.length - 1);
      }
      if (mayBeTooWide(row)) this.makeRoom(row, table, change.changed);
    }
    return [...changes.values()]
      .filter(({ isNew, changed }) => isNew || changed.size > 0)
      .map(({ table, isNew, changed }) => ({
        ...{ table, isNew },
        columns: [...changed].map((index) => table.columns[index] as Column),
      }));
  }

  private widthOf(row: Row, table: Table): number {
    let bytes = 0;
    for (const cell of row.cells) {
      const index = this.columnIndex(row.table, cell) ?? -1;
      if (table.columns[index]?.place === 'column') bytes += cellBytes(cell);
    }
    return bytes;
  }

  /**
   * Moves columns of a too wide row to `_sdc_overflow` until it fits: the ones that came last, since
   * fields that many records have come early.
   */
  private makeRoom(row: Row, table: MutableTable, changed: Set<number>): void {
    let bytes = this.widthOf(row, table);
    if (bytes <= ROW_BYTES_MAX) return;
    const keeps = this.rules.versionField(table.stream);
    const cells = new Map(row.cells.map((cell) => [this.columnIndex(row.table, cell) ?? -1, cell]));
    for (const [index, cell] of [...cells].sort(([a], [b]) => b - a)) {
      const column = table.columns[index] as Column;
      if (column.place !== 'column' || column.path === keeps) continue;
      // A column that is not made yet need not be made at all.
      const place = changed.has(index) ? 'overflow' : 'moved';
      table.columns[index] = { ...column, place };
      changed.add(index);
      bytes -= cellBytes(cell);
      if (bytes <= ROW_BYTES_MAX) return;
    }
  }

  private addTable(row: Row): MutableTable {
    const taken = new Set([...this.tables.values()].map(({ name }) => name));
    for (const name of this.rules.reservedTables) taken.add(name);
    const table: MutableTable = {
      path: row.table,
      name: chooseName(row.tableName, row.table, taken, TABLE_BYTES_MAX),
      stream: row.table.split('/')[0] ?? row.table,
      levels: row.levels.length,
      columns: [],
      byPath: new Map(),
    };
    this.tables.set(row.table, table);
    if (table.levels === 0) {
      const field = this.rules.versionField(table.stream);
      if (field !== null)
        this.addColumn(table, { path: field, column: field, type: 'timestamptz' });
    }
    return table;
  }

  private addColumn(
    table: MutableTable,
    cell: Omit<Cell, 'value'>,
    there: ReadonlySet<string> = new Set(),
  ): void {
    const siblings = table.byPath.get(cell.path);
    const first = siblings && table.columns[Math.min(...siblings.values())];
    const wanted = first ? `${first.name}__${TYPE_SUFFIX[cell.type]}` : cell.column;
    const taken = new Set(this.rules.reservedColumns(table.levels));
    for (const { name } of table.columns) taken.add(name);
    for (const name of there) taken.add(name);
    const name = chooseName(
      wanted,
      `${cell.path}:${cell.type}`,
      taken,
      first ? TABLE_BYTES_MAX : COLUMN_BYTES_MAX,
    );
    const made = table.columns.filter(({ place }) => place !== 'overflow').length;
    const place = made < COLUMNS_MAX ? 'column' : 'overflow';
    append(table, { name, type: cell.type, path: cell.path, place });
  }
}

function append(table: MutableTable, column: Column): void {
  const byType = table.byPath.get(column.path) ?? new Map<ColumnType, number>();
  byType.set(column.type, table.columns.length);
  table.byPath.set(column.path, byType);
  table.columns.push(column);
}
