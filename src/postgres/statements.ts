import pg from 'pg';
import { byteLength, chooseName, TABLE_BYTES_MAX } from '../core/naming.js';
import type { Column } from '../core/schema.js';
import type { ColumnType } from '../core/typing.js';
import { quote } from './pool.js';

/**
 * Pure builders of SQL text. Rows travel by COPY, or as one JSON parameter with short keys (`c0`,
 * `c1`, …), so a statement depends only on the table's columns, never on the page.
 */
export interface TableShape {
  readonly schema: string;
  readonly name: string;
  /** `root` is the record's own table, `subtable` one made from an array in it. */
  readonly kind: 'root' | 'subtable';
  readonly loading: 'upsert' | 'append';
  /** The column that holds the record's key. */
  readonly keyColumn: string;
  /** How many arrays deep: the number of `_sdc_level_N_id` columns. */
  readonly levels: number;
  /** Column that orders the versions of a record; null: the one received last wins. Only for roots. */
  readonly versionColumn: string | null;
}

export interface DataColumn {
  readonly name: string;
  readonly type: ColumnType | 'uuid';
}

/** A column of a table's data, or what stands for one in `_sdc_overflow`. */
export type PlacedColumn = DataColumn & Pick<Column, 'place'>;

/** Stitch's system columns, and ours beside them (`_sdc_deleted_at`, `_sdc_record_hash`). */
const ROOT_SYSTEM: readonly DataColumn[] = [
  { name: '_sdc_batched_at', type: 'timestamptz' },
  { name: '_sdc_received_at', type: 'timestamptz' },
  { name: '_sdc_sequence', type: 'bigint' },
  { name: '_sdc_table_version', type: 'bigint' },
  { name: '_sdc_deleted_at', type: 'timestamptz' },
  { name: '_sdc_deleted_by', type: 'text' },
  { name: '_sdc_merged_into', type: 'text' },
];
const RECORD_HASH = '_sdc_record_hash';
/** Values of fields that PostgreSQL has no column for, by the names that the columns would have. */
export const OVERFLOW = { name: '_sdc_overflow', type: 'jsonb' } as const;
const SUBTABLE_SYSTEM = ROOT_SYSTEM.slice(0, 4);

export function levelColumns(table: Pick<TableShape, 'levels'>): readonly string[] {
  return Array.from({ length: table.levels }, (_, level) => `_sdc_level_${level}_id`);
}

/** Columns that every table of PostgreSQL has, and no field can be called like. */
const POSTGRES_COLUMNS = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

/** Names that no field may take in this table. */
export function reservedColumns(
  table: Pick<TableShape, 'kind' | 'levels' | 'keyColumn'>,
): readonly string[] {
  const own = systemColumns(table).map(({ name }) => name);
  return [...POSTGRES_COLUMNS, table.keyColumn, ...levelColumns(table), ...own];
}

/** The system columns that are no part of a row's place: all but its key and its levels. */
export function systemColumns(table: Pick<TableShape, 'kind'>): readonly DataColumn[] {
  return table.kind === 'root'
    ? [...ROOT_SYSTEM, { name: RECORD_HASH, type: 'uuid' }]
    : SUBTABLE_SYSTEM;
}

export function qualified(schema: string, name: string): string {
  return `${quote(schema)}.${quote(name)}`;
}

/** CREATE TABLE with its key. Its columns lie in the order of their names' bytes, as Stitch's do. */
export function createTable(table: TableShape, columns: readonly PlacedColumn[]): string {
  const isRoot = table.kind === 'root';
  const keys = new Set([...keyColumns(table), RECORD_HASH]);
  const all: DataColumn[] = [
    { name: table.keyColumn, type: 'text' },
    ...levelColumns(table).map((name) => ({ name, type: 'bigint' }) as const),
    ...systemColumns(table),
    ...realColumns(columns),
  ];
  all.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const lines = [
    ...all.map(({ name, type }) => `${quote(name)} ${type}${keys.has(name) ? ' NOT NULL' : ''}`),
    `PRIMARY KEY (${keyColumns(table).map(quote).join(', ')})`,
    // What makes a re-read of an append-only record add nothing: one row for each distinct version.
    ...(isRoot && table.loading === 'append'
      ? [`UNIQUE (${quote(table.keyColumn)}, ${quote(RECORD_HASH)})`]
      : []),
  ];
  return `CREATE TABLE ${qualified(table.schema, table.name)} (\n  ${lines.join(',\n  ')}\n)`;
}

/** The columns that a table must have for its data: all that have a place of their own. */
export function realColumns(columns: readonly PlacedColumn[]): readonly DataColumn[] {
  const real: DataColumn[] = columns.filter(({ place }) => place !== 'overflow');
  return hasOverflow(columns) ? [...real, OVERFLOW] : real;
}

export function hasOverflow(columns: readonly Pick<PlacedColumn, 'place'>[]): boolean {
  return columns.some(({ place }) => place !== 'column');
}

function keyColumns(table: TableShape): readonly string[] {
  const version = table.loading === 'append' ? ['_sdc_sequence'] : [];
  return [table.keyColumn, ...version, ...levelColumns(table)];
}

/** Adds what of `columns` is not there. */
export function addColumns(table: TableShape, columns: readonly DataColumn[]): string {
  const actions = columns.map(
    ({ name, type }) => `ADD COLUMN IF NOT EXISTS ${quote(name)} ${type}`,
  );
  return `ALTER TABLE ${qualified(table.schema, table.name)} ${actions.join(', ')}`;
}

/** What an index of our own making is called: its name says which, and is there once. */
export function indexName(table: string, column: string): string {
  const wanted = `${table}_${column}_idx`;
  return chooseName(wanted, wanted, new Set(), TABLE_BYTES_MAX);
}

export function createIndex(table: TableShape, column: string): string {
  const name = indexName(table.name, column);
  return `CREATE INDEX IF NOT EXISTS ${quote(name)} ON ${qualified(table.schema, table.name)} (${quote(column)})`;
}

/** The alias and type of each key in the JSON rows of a root. */
function recordset(columns: readonly PlacedColumn[]): string {
  const parts = [
    'k text',
    'n bigint',
    'h uuid',
    ...aliased(columns).map(({ alias, type }) => `${alias} ${type === 'jsonb' ? 'text' : type}`),
  ];
  return `json_to_recordset($1::json) AS r(${parts.join(', ')})`;
}

/**
 * The columns with their keys in the JSON rows: `c` and their position, `o` for the overflow. A
 * jsonb cell travels as a text; as jsonb, that text would be a JSON string and no array.
 */
function aliased(
  columns: readonly PlacedColumn[],
): readonly (DataColumn & { readonly alias: string })[] {
  const own = columns.flatMap(({ name, type, place }, index) =>
    place === 'overflow' ? [] : [{ name, type, alias: `c${index}` }],
  );
  return hasOverflow(columns) ? [...own, { ...OVERFLOW, alias: 'o' }] : own;
}

/** The columns of a row, in the order in which `CopyLines` gives their values. */
function writtenColumns(table: TableShape, columns: readonly PlacedColumn[]): readonly string[] {
  return [
    table.keyColumn,
    ...levelColumns(table),
    '_sdc_received_at',
    '_sdc_batched_at',
    '_sdc_sequence',
    ...(table.kind === 'root' ? [RECORD_HASH] : []),
    ...realColumns(columns).map(({ name }) => name),
  ];
}

/** Takes rows that are not in the table; of a root, only such as no other transaction may bring. */
export function copyRows(table: TableShape, columns: readonly PlacedColumn[]): string {
  const names = writtenColumns(table, columns).map(quote).join(', ');
  return `COPY ${qualified(table.schema, table.name)} (${names}) FROM STDIN`;
}

/**
 * Inserts records or replaces them; `$1` their rows as JSON, `$2` when they were received, `$3` the
 * base of the sequence. Returns ordinal and whether the row is new, one line for each row accepted.
 */
export function mergeRoots(table: TableShape, columns: readonly PlacedColumn[]): string {
  const names = writtenColumns(table, columns);
  const values = [
    ...['r.k', '$2::timestamptz', 'now()', '$3::bigint + r.n', 'r.h'],
    ...aliased(columns).map(({ type, alias }) => `r.${alias}${type === 'jsonb' ? '::jsonb' : ''}`),
  ];
  return (
    `INSERT INTO ${qualified(table.schema, table.name)} AS t (${names.map(quote).join(', ')})\n` +
    `SELECT ${values.join(', ')}\n  FROM ${recordset(columns)}\n${onConflict(table, names)}\n` +
    `RETURNING t._sdc_sequence - $3::bigint AS ordinal, (t.xmax = 0) AS is_new`
  );
}

function onConflict(table: TableShape, names: readonly string[]): string {
  const key = quote(table.keyColumn);
  if (table.loading === 'append') return `ON CONFLICT (${key}, ${RECORD_HASH}) DO NOTHING`;
  const received = '_sdc_received_at';
  const version = quote(table.versionColumn ?? received);
  const assignments = names
    .filter((name) => name !== table.keyColumn)
    .map((name) => `${quote(name)} = excluded.${quote(name)}`);
  // Newer wins; of equal ones, which differ in what no clock shows, the one that was received later.
  return (
    `ON CONFLICT (${key}) DO UPDATE SET ${assignments.join(', ')}\n` +
    `WHERE coalesce((excluded.${version}, excluded.${received}) >= (t.${version}, t.${received}), t.${version} IS NULL)`
  );
}

/**
 * Which of the keys `$1` with the hashes `$2` are there, as positions, and whether in exactly this
 * version; of append-only records, those that are there in this version. The same is not written
 * again: no dead row, no new `_sdc_batched_at` that would send every downstream model over the whole
 * table. `$3`: what was written before then may lack what was dropped by hand.
 */
export function findKnown(table: TableShape): string {
  const isSame = `t.${RECORD_HASH} = r.h`;
  return (
    `SELECT r.position - 1 AS index,\n` +
    `       ${isSame} AND ($3::timestamptz IS NULL OR t._sdc_batched_at >= $3) AS is_same\n` +
    `  FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS r(k, h, position)\n` +
    `  JOIN ${qualified(table.schema, table.name)} t ON t.${quote(table.keyColumn)} = r.k` +
    (table.loading === 'append' ? ` AND ${isSame}` : '')
  );
}

/**
 * Removes versions of append-only records, with all their rows, that are about to be written again:
 * keys `$1`, hashes `$2`.
 */
export function deleteVersions(root: TableShape, subtables: readonly TableShape[]): string {
  const key = quote(root.keyColumn);
  const deletes = subtables.map((table, index) => {
    const target = qualified(table.schema, table.name);
    return `d${index} AS (DELETE FROM ${target} s USING gone WHERE s.${quote(table.keyColumn)} = gone.k AND s._sdc_sequence = gone.n)`;
  });
  const gone =
    `gone AS (DELETE FROM ${qualified(root.schema, root.name)} t USING unnest($1::text[], $2::uuid[]) AS r(k, h)\n` +
    ` WHERE t.${key} = r.k AND t.${RECORD_HASH} = r.h RETURNING r.k, t._sdc_sequence AS n)`;
  return `WITH ${[gone, ...deletes].join(',\n')}\nSELECT count(*) AS count FROM gone`;
}

/** Removes the rows of all `subtables` for the parents `$1`, which are about to be written again. */
export function deleteChildren(subtables: readonly TableShape[]): string {
  const deletes = subtables.map(({ schema, name, keyColumn }, index) => {
    const target = qualified(schema, name);
    return `d${index} AS (DELETE FROM ${target} WHERE ${quote(keyColumn)} = ANY($1::text[]))`;
  });
  return `WITH ${deletes.join(',\n')}\nSELECT`;
}

/**
 * The view with the latest version of each append-only record, without the deleted ones; for a
 * subtable, the rows of those versions.
 */
export function currentView(root: ViewedTable, table: ViewedTable): string {
  const view = qualified(table.schema, table.viewName);
  const key = quote(root.keyColumn);
  if (table.kind === 'root') {
    return (
      `CREATE OR REPLACE VIEW ${view} AS\n` +
      `SELECT * FROM (SELECT DISTINCT ON (${key}) * FROM ${qualified(table.schema, table.name)}\n` +
      `  ORDER BY ${key}, ${quote(root.versionColumn ?? '_sdc_received_at')} DESC NULLS LAST, _sdc_sequence DESC) latest\n` +
      ` WHERE _sdc_deleted_at IS NULL`
    );
  }
  return (
    `CREATE OR REPLACE VIEW ${view} AS\n` +
    `SELECT s.* FROM ${qualified(table.schema, table.name)} s\n` +
    `  JOIN ${qualified(root.schema, root.viewName)} c\n` +
    `    ON c.${key} = s.${quote(table.keyColumn)} AND c._sdc_sequence = s._sdc_sequence`
  );
}

export interface ViewedTable extends TableShape {
  readonly viewName: string;
}

const VIEW_ENDING = '_current';

/**
 * `<table>_current`; with a hash before the ending where that is too long, or is a table's own name
 * (`activities__a` beside `activities__a_current`).
 */
export function viewName(table: string, tableNames: ReadonlySet<string>): string {
  const wanted = table + VIEW_ENDING;
  if (byteLength(wanted) <= TABLE_BYTES_MAX && !tableNames.has(wanted)) return wanted;
  const bytesMax = TABLE_BYTES_MAX - VIEW_ENDING.length;
  return chooseName(table, wanted, new Set([table]), bytesMax) + VIEW_ENDING;
}

/** Keeps the names of a schema as they are until the transaction ends; many may hold it at once. */
export function holdNames(schema: string): string {
  return lock('shared', 'names', schema);
}

/** Waits until nobody holds the names, then changes them alone. */
export function takeNames(schema: string): string {
  return lock('alone', 'names', schema);
}

/** Changes the custom fields that are known, one after the other; pages need not end for it. */
export function takeFields(schema: string): string {
  return lock('alone', 'fields', schema);
}

/** Takes the lock of that name until the transaction ends. Workers of all versions use the same names. */
export function lock(mode: 'shared' | 'alone', ...name: readonly string[]): string {
  const take = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock';
  const literal = pg.escapeLiteral(['closehaul', ...name].join(' '));
  return `SELECT ${take}(hashtextextended(${literal}, 0))`;
}
