import type { Cell, Row } from './denest.js';
import { chooseName, COLUMN_BYTES_MAX, TABLE_BYTES_MAX } from './naming.js';
import { fittingType, TYPE_SUFFIX, type ColumnType, type TypedValue } from './typing.js';

/**
 * The tables and columns of one warehouse schema, and what rows need that is not there yet.
 *
 *   schema.add([row of leads with the new field `source`])  →  [{ table: leads, columns: [source text] }]
 *
 * Invariant: only ever grows. A field keeps its column; a second type of it gets a column beside.
 */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The field's path inside its table. */
  readonly path: string;
}

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
  readonly columns: readonly Column[];
}

export interface SchemaRules {
  /** Column names that the destination keeps for itself in a table so many levels deep. */
  readonly reservedColumns: (levels: number) => readonly string[];
  readonly reservedTables: readonly string[];
  /** The version field of a stream: its column is there from the first row on. */
  readonly versionField: (stream: string) => string;
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
    if (!this.tables.has(row.table)) return true;
    return row.cells.some((cell) => this.columnIndex(row.table, cell) === undefined);
  }

  /** Adds what `rows` need and tells what that was. */
  add(rows: Iterable<Row>): readonly SchemaChange[] {
    const changes = new Map<string, { table: Table; isNew: boolean; columns: Column[] }>();
    for (const row of rows) {
      const known = this.tables.get(row.table);
      const table = known ?? this.addTable(row);
      const isNew = known === undefined;
      const change = changes.get(row.table) ?? { table, isNew, columns: [...table.columns] };
      if (!isNew && !changes.has(row.table)) change.columns.length = 0;
      for (const cell of row.cells) {
        if (this.columnIndex(row.table, cell) !== undefined) continue;
        change.columns.push(this.addColumn(table, cell));
      }
      if (isNew || change.columns.length > 0) changes.set(row.table, change);
    }
    return [...changes.values()];
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
      this.addColumn(table, { path: field, column: field, type: 'timestamptz' });
    }
    return table;
  }

  private addColumn(table: MutableTable, cell: Omit<Cell, 'value'>): Column {
    const siblings = table.byPath.get(cell.path);
    const first = siblings && table.columns[Math.min(...siblings.values())];
    const wanted = first ? `${first.name}__${TYPE_SUFFIX[cell.type]}` : cell.column;
    const taken = new Set(this.rules.reservedColumns(table.levels));
    for (const { name } of table.columns) taken.add(name);
    const name = chooseName(
      wanted,
      `${cell.path}:${cell.type}`,
      taken,
      first ? TABLE_BYTES_MAX : COLUMN_BYTES_MAX,
    );
    const column = { name, type: cell.type, path: cell.path };
    append(table, column);
    return column;
  }
}

function append(table: MutableTable, column: Column): void {
  const byType = table.byPath.get(column.path) ?? new Map<ColumnType, number>();
  byType.set(column.type, table.columns.length);
  table.byPath.set(column.path, byType);
  table.columns.push(column);
}
