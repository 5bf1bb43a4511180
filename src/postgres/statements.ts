import type { ColumnType } from '../core/typing.js';
import { quote } from './pool.js';

/**
 * Pure builders of SQL text. Rows travel as one JSON parameter with short keys (`c0`, `c1`, …), so
 * a statement depends only on the table's columns, never on the page.
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
  /** Column that orders the versions of a record; only for roots. */
  readonly versionColumn: string;
}

export interface DataColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** Stitch's system columns, and ours beside them (`_sdc_deleted_at`, `_sdc_record_hash`). */
const ROOT_SYSTEM: readonly DataColumn[] = [
  { name: '_sdc_batched_at', type: 'timestamptz' },
  { name: '_sdc_received_at', type: 'timestamptz' },
  { name: '_sdc_sequence', type: 'bigint' },
  { name: '_sdc_table_version', type: 'bigint' },
  { name: '_sdc_deleted_at', type: 'timestamptz' },
];
const RECORD_HASH = '_sdc_record_hash';
const SUBTABLE_SYSTEM = ROOT_SYSTEM.slice(0, 4);

export function levelColumns(table: Pick<TableShape, 'levels'>): readonly string[] {
  return Array.from({ length: table.levels }, (_, level) => `_sdc_level_${level}_id`);
}

/** Names that no field may take in this table. */
export function systemColumns(
  table: Pick<TableShape, 'kind' | 'levels' | 'keyColumn'>,
): readonly string[] {
  const own = table.kind === 'root' ? [...ROOT_SYSTEM, { name: RECORD_HASH }] : SUBTABLE_SYSTEM;
  return [table.keyColumn, ...levelColumns(table), ...own.map(({ name }) => name)];
}

export function qualified(schema: string, name: string): string {
  return `${quote(schema)}.${quote(name)}`;
}

/** CREATE TABLE with its key; the fields come by `addColumns`. */
export function createTable(table: TableShape): string {
  const isRoot = table.kind === 'root';
  const system = isRoot ? ROOT_SYSTEM : SUBTABLE_SYSTEM;
  const lines = [
    `${quote(table.keyColumn)} text NOT NULL`,
    ...levelColumns(table).map((name) => `${quote(name)} bigint NOT NULL`),
    ...system.map(({ name, type }) => {
      const isKey = table.loading === 'append' && name === '_sdc_sequence';
      return `${quote(name)} ${type}${isKey ? ' NOT NULL' : ''}`;
    }),
    ...(isRoot ? [`${quote(RECORD_HASH)} uuid NOT NULL`] : []),
    `PRIMARY KEY (${keyColumns(table).map(quote).join(', ')})`,
    // What makes a re-read of an append-only record add nothing: one row for each distinct version.
    ...(isRoot && table.loading === 'append'
      ? [`UNIQUE (${quote(table.keyColumn)}, ${quote(RECORD_HASH)})`]
      : []),
  ];
  return `CREATE TABLE IF NOT EXISTS ${qualified(table.schema, table.name)} (\n  ${lines.join(',\n  ')}\n)`;
}

function keyColumns(table: TableShape): readonly string[] {
  const version = table.loading === 'append' ? ['_sdc_sequence'] : [];
  return [table.keyColumn, ...version, ...levelColumns(table)];
}

export function addColumns(table: TableShape, columns: readonly DataColumn[]): string {
  const actions = columns.map(
    ({ name, type }) => `ADD COLUMN IF NOT EXISTS ${quote(name)} ${type}`,
  );
  return `ALTER TABLE ${qualified(table.schema, table.name)} ${actions.join(', ')}`;
}

/** The alias and type of each key in the JSON rows of a table. */
function recordset(table: TableShape, columns: readonly DataColumn[]): string {
  const parts = [
    'k text',
    'n bigint',
    ...(table.kind === 'root' ? ['h uuid'] : []),
    ...levelColumns(table).map((_, level) => `l${level} bigint`),
    ...columns.map(({ type }, index) => `c${index} ${type}`),
  ];
  return `json_to_recordset($1::json) AS r(${parts.join(', ')})`;
}

/**
 * Inserts rows; `$1` the rows as JSON, `$2` when they were received, `$3` the base of the sequence.
 * For roots it returns key, ordinal and whether the row is new, one line for each row accepted.
 */
export function insertRows(table: TableShape, columns: readonly DataColumn[]): string {
  const isRoot = table.kind === 'root';
  const levels = levelColumns(table);
  const names = [
    table.keyColumn,
    ...levels,
    '_sdc_received_at',
    '_sdc_batched_at',
    '_sdc_sequence',
    ...(isRoot ? [RECORD_HASH] : []),
    ...columns.map(({ name }) => name),
  ];
  const values = [
    'r.k',
    ...levels.map((_, level) => `r.l${level}`),
    '$2::timestamptz',
    'now()',
    '$3::bigint + r.n',
    ...(isRoot ? ['r.h'] : []),
    ...columns.map((_, index) => `r.c${index}`),
  ];
  const insert =
    `INSERT INTO ${qualified(table.schema, table.name)} AS t (${names.map(quote).join(', ')})\n` +
    `SELECT ${values.join(', ')}\n  FROM ${recordset(table, columns)}`;
  if (!isRoot) return insert;
  return `${insert}\n${onConflict(table, names)}\nRETURNING t.${quote(table.keyColumn)} AS key, t._sdc_sequence - $3::bigint AS ordinal, (t.xmax = 0) AS is_new`;
}

function onConflict(table: TableShape, names: readonly string[]): string {
  const key = quote(table.keyColumn);
  if (table.loading === 'append') return `ON CONFLICT (${key}, ${RECORD_HASH}) DO NOTHING`;
  const version = quote(table.versionColumn);
  const assignments = names
    .filter((name) => name !== table.keyColumn)
    .map((name) => `${quote(name)} = excluded.${quote(name)}`);
  // Newer wins, and a record that did not change is not written again: no dead row, no new
  // `_sdc_batched_at` that would send every downstream model over the whole table.
  return (
    `ON CONFLICT (${key}) DO UPDATE SET ${assignments.join(', ')}\n` +
    `WHERE t.${RECORD_HASH} IS DISTINCT FROM excluded.${RECORD_HASH}\n` +
    `  AND coalesce(excluded.${version} >= t.${version}, t.${version} IS NULL)`
  );
}

/** How many of the rows `$1` are there already in exactly this version. */
export function countUnchanged(table: TableShape): string {
  return (
    `SELECT count(*) AS unchanged FROM json_to_recordset($1::json) AS r(k text, h uuid)\n` +
    `  JOIN ${qualified(table.schema, table.name)} t ON t.${quote(table.keyColumn)} = r.k AND t.${RECORD_HASH} = r.h`
  );
}

/** Removes the subtable rows of the parents `$1`, which are about to be written again. */
export function deleteChildren(table: TableShape): string {
  return `DELETE FROM ${qualified(table.schema, table.name)} WHERE ${quote(table.keyColumn)} = ANY($1::text[])`;
}

/**
 * The view with the latest version of each append-only record, without the deleted ones; for a
 * subtable, the rows of those versions.
 */
export function currentView(root: TableShape, table: TableShape): string {
  const view = qualified(table.schema, `${table.name}_current`);
  const key = quote(root.keyColumn);
  if (table.kind === 'root') {
    return (
      `CREATE OR REPLACE VIEW ${view} AS\n` +
      `SELECT * FROM (SELECT DISTINCT ON (${key}) * FROM ${qualified(table.schema, table.name)}\n` +
      `  ORDER BY ${key}, ${quote(root.versionColumn)} DESC NULLS LAST, _sdc_sequence DESC) latest\n` +
      ` WHERE _sdc_deleted_at IS NULL`
    );
  }
  return (
    `CREATE OR REPLACE VIEW ${view} AS\n` +
    `SELECT s.* FROM ${qualified(table.schema, table.name)} s\n` +
    `  JOIN ${qualified(root.schema, `${root.name}_current`)} c\n` +
    `    ON c.${key} = s.${quote(table.keyColumn)} AND c._sdc_sequence = s._sdc_sequence`
  );
}

export function createRejected(schema: string): string {
  return (
    `CREATE TABLE IF NOT EXISTS ${qualified(schema, '_sdc_rejected')} ` +
    `(record text, reason text, table_name text, _sdc_rejected_at timestamptz)`
  );
}

export function insertRejected(schema: string): string {
  return (
    `INSERT INTO ${qualified(schema, '_sdc_rejected')} (record, reason, table_name, _sdc_rejected_at)\n` +
    `SELECT record, reason, table_name, now() FROM json_to_recordset($1::json) AS r(record text, reason text, table_name text)`
  );
}
