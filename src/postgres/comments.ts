import pg from 'pg';
import type { CustomField, CustomFields } from '../core/custom-fields.js';
import type { Column, Table } from '../core/schema.js';
import type { StreamShape } from '../core/stream.js';
import { quote } from './pool.js';
import { hasOverflow, levelColumns, OVERFLOW, qualified, type TableShape } from './statements.js';

/**
 * What PostgreSQL's `\d+` tells of our tables: of each table its stream and how it is loaded, of each
 * column the field of Close that it holds. A name that was shortened stands there in full.
 */
export interface Described {
  readonly shape: TableShape;
  readonly table: Table;
  readonly stream: StreamShape;
  readonly fields: CustomFields;
}

const SYSTEM: Readonly<Record<string, string>> = {
  _sdc_batched_at: 'When the row was written.',
  _sdc_received_at: 'When Close gave the record.',
  _sdc_sequence: 'Orders the versions of a record; in nanoseconds, the greatest is the newest.',
  _sdc_table_version: 'As in tables that Stitch made; always null.',
  _sdc_deleted_at: 'When the record was deleted in Close; null while it is there.',
  _sdc_deleted_by: 'Id of the user who deleted it; null when Close did.',
  _sdc_merged_into: 'Key of the record that took its place in a merge.',
  _sdc_record_hash:
    'Of what the record holds: a record that is read again unchanged is not written.',
};
const ROOT_ONLY = [
  ...['_sdc_deleted_at', '_sdc_deleted_by', '_sdc_merged_into', '_sdc_record_hash'],
];

export function commentOnTable({ shape, table, stream }: Described): string {
  return `COMMENT ON TABLE ${qualified(shape.schema, shape.name)} IS ${pg.escapeLiteral(tableText(table, stream))}`;
}

function tableText(table: Table, stream: StreamShape): string {
  const isUpsert = stream.loading === 'upsert';
  if (table.levels === 0) {
    return isUpsert
      ? `Close ${stream.name}: one row for each record, replaced by its newer versions (Incremental; key ${stream.key}).`
      : `Close ${stream.name}: one row for each version of a record (Append-Only Incremental; key ${stream.key}). The view ${stream.name}_current has the latest.`;
  }
  const rows = isUpsert ? 'replaced with their record' : 'kept with their version of the record';
  return `Close ${stream.name}, array ${fieldOf(table.path)}: one row for each element, ${rows}.`;
}

export function commentOnView(schema: string, view: string, table: string): string {
  const text = `The latest version of each record of ${table} that is not deleted in Close.`;
  return `COMMENT ON VIEW ${qualified(schema, view)} IS ${pg.escapeLiteral(text)}`;
}

/** Of the columns that a table has from the beginning, whatever Close sends. */
export function commentsOnSystemColumns({ shape, table, stream }: Described): readonly string[] {
  const isRoot = table.levels === 0;
  const key = isRoot
    ? `Close field ${stream.key}.`
    : `${stream.key} of the record that it is part of.`;
  const arrays = fieldOf(table.path).split('[].');
  const levels = levelColumns(shape).map((name, level): [string, string] => [
    name,
    `Position in the array ${arrays[level] ?? ''}, from 0.`,
  ]);
  const system = Object.entries(SYSTEM).filter(([name]) => isRoot || !ROOT_ONLY.includes(name));
  return [[shape.keyColumn, key] as [string, string], ...levels, ...system].map(([name, text]) =>
    commentOn(shape, name, text),
  );
}

export function commentsOnColumns(
  described: Described,
  columns: readonly Column[],
): readonly string[] {
  const { shape } = described;
  const comments = columns
    .filter(({ place }) => place !== 'overflow')
    .map((column) => commentOn(shape, column.name, columnText(described, column)));
  if (!hasOverflow(columns)) return comments;
  const text =
    'Fields that PostgreSQL has no room for in columns of their own, by the names that those would have.';
  return [...comments, commentOn(shape, OVERFLOW.name, text)];
}

function commentOn(shape: TableShape, column: string, text: string): string {
  const target = `${qualified(shape.schema, shape.name)}.${quote(column)}`;
  return `COMMENT ON COLUMN ${target} IS ${pg.escapeLiteral(text)}`;
}

function columnText(described: Described, { path, place }: Column): string {
  const moved =
    place === 'moved' ? ' Only of rows that were loaded before it moved to _sdc_overflow.' : '';
  const custom = customFieldAt(described, path);
  if (custom !== undefined) return `Close ${customText(custom)}.${moved}`;
  const field = path === '[]' ? 'element of the array' : `field ${readable(path)}`;
  return `Close ${field}.${moved}`;
}

/** `custom.Industry` in `leads` is lead's; in `leads/contacts` it is the contact's. */
function customFieldAt(
  { table, stream, fields }: Described,
  path: string,
): CustomField | undefined {
  const { customFields: families } = stream;
  const [, ...arrays] = table.path.split(/(?<!\\)\//);
  if (families === null) return undefined;
  const last = arrays.at(-1);
  const isValues = path === '[]' && last?.startsWith('custom.') === true;
  const label = isValues
    ? last?.slice('custom.'.length)
    : path.startsWith('custom.')
      ? path.slice('custom.'.length)
      : undefined;
  if (label === undefined) return undefined;
  const holders = isValues ? arrays.slice(0, -1) : arrays;
  if (holders.length > 1) return undefined;
  const [holder] = holders;
  const family = holder === undefined ? families.own : families.nested[holder];
  const ofFamily = family === undefined ? undefined : fields.get(family);
  // Labels are kept as Close has them, paths have their dots escaped.
  return [...(ofFamily?.values() ?? [])].find(
    (field) => field.label.replace(/[./\\[]/g, '\\$&') === label,
  );
}

function customText({ id, label, currentName, type }: CustomField): string {
  const kind = type === null ? id : `${id}, ${type}`;
  if (currentName === null)
    return `custom field "${label}" (${kind}), whose definition Close does not give`;
  const first = currentName === label ? '' : `; it was called "${label}" when it was first seen`;
  return `custom field "${currentName}" (${kind})${first}`;
}

/** `leads/contacts/emails` → `contacts[].emails`. */
function fieldOf(tablePath: string): string {
  return readable(
    tablePath
      .split(/(?<!\\)\//)
      .slice(1)
      .join('[].'),
  );
}

/** Without the marks that keep two paths apart which look alike. */
function readable(path: string): string {
  return path.replace(/\\([./\\[])/g, '$1');
}
