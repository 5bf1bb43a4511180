import type { Instant } from './instant.js';
import { jsonText } from './json-text.js';
import { INNER_ARRAY_PART, SCALAR_ELEMENT_COLUMN, type Layout } from './layout.js';
import { byteLength } from './naming.js';
import { isNested, type JsonRecord, type JsonValue } from './record.js';
import type { StreamShape } from './stream.js';
import {
  classify,
  RESERVED_SUFFIXES,
  storableText,
  TYPE_SUFFIX,
  type TypedValue,
} from './typing.js';

/**
 * De-nesting: one record becomes one row of its stream's table and a row for each array element.
 *
 *   { id: 'lead_1', name: 'Bluth', envelope: { subject: 'Hi' }, contacts: [{ emails: ['a', 'b'] }] }
 *
 *   leads                    name = Bluth, envelope__subject = Hi
 *   leads__contacts          [0]
 *   leads__contacts__emails  [0, 0] value = a      [0, 1] value = b
 *
 * Rows carry paths, not names: what a column is called is decided once, and stored, by the
 * destination. Invariant: no leaf is lost, and the order of keys in a record makes no difference.
 */
export interface Cell extends TypedValue {
  /**
   * The field's path inside its table, segments escaped and joined by `.`: `envelope.subject`. Two
   * places in a record never have one path; an array's element that is a scalar has `[]`.
   */
  readonly path: string;
  /** The column name that the layout wants for it, before clashes and lengths: `envelope__subject`. */
  readonly column: string;
}

export interface Row {
  /** The stream's name, then a part for each array: `leads`, `leads/contacts`, `activities/envelope.to`. */
  readonly table: string;
  /** The table name that the layout wants: `leads__contacts__emails`. */
  readonly tableName: string;
  /** 0-based position in each array on the way here; empty for the record's own row. */
  readonly levels: readonly number[];
  readonly cells: readonly Cell[];
}

export interface Denested {
  /** The record as it came; kept for the case that PostgreSQL refuses its rows. */
  readonly record: JsonRecord;
  readonly key: string;
  /** The instant of the stream's version field; null when the record has none that can be read. */
  readonly version: Instant | null;
  /** The record's own row first, then those of its arrays. */
  readonly rows: readonly Row[];
  /**
   * Text that is equal for two records exactly when they are the same version, whatever the order
   * of their keys. Append-only streams leave their volatile fields out.
   */
  readonly content: string;
}

export interface Reject {
  readonly record: JsonRecord;
  readonly table: string;
  readonly reason: string;
}

export type DenestResult = Denested | { readonly reject: Reject };

/** A row while it is being filled. */
interface Draft {
  readonly cells: Cell[];
  /** What the row adds to `content`; null when it comes from a volatile field. */
  readonly content: string[] | null;
}

/** An object or array that waits to be walked, and where its leaves go. */
interface Frame {
  readonly value: JsonRecord | readonly JsonValue[];
  readonly table: string;
  readonly tableName: string;
  readonly levels: readonly number[];
  readonly row: Draft;
  readonly path: string;
  readonly column: string;
  /** Field names from the record (or element) down to here, for typing. */
  readonly segments: readonly string[];
  readonly isVolatile: boolean;
}

/**
 * De-nests one record; `asSent` is what a reject keeps, for a record that was changed on the way.
 * Never throws on bad data: what no table can take comes back as a reject.
 * The walk keeps its own stack, so depth cannot overflow the call stack.
 */
export function denest(
  record: JsonRecord,
  stream: StreamShape,
  layout: Layout,
  asSent: JsonRecord = record,
): DenestResult {
  const key = record[stream.key];
  if (typeof key !== 'string' || key === '') {
    return rejected(asSent, stream, `Field ${stream.key} is missing or is not a text`);
  }
  // Made storable, it could be another record's key, and one of the two would overwrite the other.
  if (storableText(key) !== key) {
    return rejected(asSent, stream, `Field ${stream.key} holds what PostgreSQL cannot store`);
  }
  const walk = new Walk(stream, layout);
  const problem = walk.run(record);
  if (problem !== undefined) return rejected(asSent, stream, problem);
  return {
    record: asSent,
    key,
    version: versionOf(record, stream),
    rows: walk.rows,
    content: walk.content(),
  };
}

function versionOf(record: JsonRecord, { versionField }: StreamShape): Instant | null {
  if (versionField === null) return null;
  const version = classify([versionField], scalarOrNull(record[versionField]));
  return version?.type === 'timestamptz' ? (version.value as Instant) : null;
}

/** De-nests a page; `asSent` are the same records, before anything was changed in them. */
export function denestPage(
  records: readonly JsonRecord[],
  stream: StreamShape,
  layout: Layout,
  asSent: readonly JsonRecord[] = records,
): { readonly denested: readonly Denested[]; readonly rejects: readonly Reject[] } {
  const denested: Denested[] = [];
  const rejects: Reject[] = [];
  for (const [index, record] of records.entries()) {
    const result = denest(record, stream, layout, asSent[index]);
    if ('reject' in result) rejects.push(result.reject);
    else denested.push(result);
  }
  return { denested, rejects };
}

function rejected(record: JsonRecord, stream: StreamShape, reason: string): DenestResult {
  return { reject: { record, table: stream.name, reason } };
}

class Walk {
  readonly rows: Row[] = [];
  private readonly drafts: Draft[] = [];
  private readonly stack: Frame[] = [];

  constructor(
    private readonly stream: StreamShape,
    private readonly layout: Layout,
  ) {}

  /** Walks the whole record; returns why it must be rejected, or undefined. */
  run(record: JsonRecord): string | undefined {
    const { name } = this.stream;
    const row = this.addRow({ table: name, tableName: name, levels: [] }, false);
    this.stack.push({
      ...{ value: record, table: name, tableName: name, levels: [], row },
      ...{ path: '', column: '', segments: [], isVolatile: false },
    });
    for (let frame = this.stack.pop(); frame !== undefined; frame = this.stack.pop()) {
      const problem = Array.isArray(frame.value)
        ? this.walkArray(frame, frame.value as readonly JsonValue[])
        : this.walkObject(frame, frame.value as JsonRecord);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** Row by row, so that a field that moves from one element to the next makes a difference. */
  content(): string {
    return this.drafts.flatMap(({ content }) => content ?? []).join('\n');
  }

  private walkObject(frame: Frame, object: JsonRecord): string | undefined {
    const isOwn = frame.segments.length === 0;
    const isTop = isOwn && frame.levels.length === 0;
    const nested: Frame[] = [];
    // Sorted, so that content does not depend on key order and new tables get Stitch's column order.
    for (const field of Object.keys(object).sort()) {
      if (isReservedField(field)) return `Field name ${fieldLabel(field)} is reserved`;
      const value = object[field] as JsonValue;
      const isKey = isTop && field === this.stream.key;
      const isVolatile = frame.isVolatile || (isTop && this.isVolatile(field));
      if (isKey || value === null) continue;
      const segments = [...frame.segments, field];
      const path = isOwn ? escapeSegment(field) : `${frame.path}.${escapeSegment(field)}`;
      if (isTooLong(frame.table, path)) return `Field name ${fieldLabel(path)} is too long`;
      // An element's prefix, as `items__`, ends in the separator; a field may too, and is a part by itself.
      const column = isOwn ? frame.column + field : `${frame.column}__${field}`;
      const isJson = isTop && this.stream.jsonFields?.includes(field) === true;
      if (isJson || (Array.isArray(value) && !this.layout.hasSubtables)) {
        const typed = { type: 'jsonb', value: jsonText(value as JsonValue) } as const;
        addCell(frame.row, path, column, typed, isVolatile);
      } else if (isNested(value)) {
        nested.push({ ...frame, value, segments, path, column, isVolatile });
      } else {
        addCell(frame.row, path, column, classify(segments, value), isVolatile);
      }
    }
    // The stack gives back the last one first.
    for (const child of nested.reverse()) this.stack.push(child);
    return undefined;
  }

  private walkArray(frame: Frame, elements: readonly JsonValue[]): string | undefined {
    if (frame.levels.length >= LEVELS_MAX) return `Arrays lie more than ${LEVELS_MAX} deep`;
    const table = `${frame.table}/${frame.path}`;
    const tableName = `${frame.tableName}__${this.tablePart(frame)}`;
    const nested: Frame[] = [];
    elements.forEach((value, index) => {
      const levels = [...frame.levels, index];
      const row = this.addRow({ table, tableName, levels }, frame.isVolatile);
      if (isNested(value)) {
        const isInnerArray = Array.isArray(value);
        nested.push({
          ...{ value, table, tableName, levels, row, isVolatile: frame.isVolatile },
          segments: isInnerArray ? frame.segments : [],
          path: isInnerArray ? ELEMENT_PATH : '',
          column: isInnerArray ? INNER_ARRAY_PART : this.layout.elementPrefix,
        });
      } else {
        const typed = classify(frame.segments, value);
        addCell(row, ELEMENT_PATH, SCALAR_ELEMENT_COLUMN, typed, frame.isVolatile);
      }
    });
    for (const child of nested.reverse()) this.stack.push(child);
    return undefined;
  }

  private addRow(row: Omit<Row, 'cells'>, isVolatile: boolean): Draft {
    const cells: Cell[] = [];
    this.rows.push({ ...row, cells });
    const { table, levels } = row;
    const content = isVolatile ? null : [`#${table.length}:${table}[${levels.join(',')}]`];
    const draft = { cells, content };
    this.drafts.push(draft);
    return draft;
  }

  /** A subtable is named by its field alone: `leads__contacts__emails`, not `…__items__emails`. */
  private tablePart(frame: Frame): string {
    const prefix = this.layout.elementPrefix;
    const isInElement = frame.levels.length > 0 && frame.column.startsWith(prefix);
    return isInElement ? frame.column.slice(prefix.length) : frame.column;
  }

  private isVolatile(field: string): boolean {
    return this.stream.loading === 'append' && this.stream.volatileFields.includes(field);
  }
}

function addCell(
  row: Draft,
  path: string,
  column: string,
  typed: TypedValue | undefined,
  isVolatile: boolean,
): void {
  if (typed === undefined) return;
  row.cells.push({ path, column, type: typed.type, value: typed.value });
  if (isVolatile) return;
  const text = String(typed.value);
  // With their lengths, so that neither a name nor a value can look like another field.
  const type = TYPE_SUFFIX[typed.type];
  row.content?.push(`${path.length}:${path}:${type}:${text.length}=${text}`);
}

function scalarOrNull(value: JsonValue | undefined): JsonValue {
  return value === undefined || isNested(value) ? null : value;
}

/** What stands for an array's element in a path; a field of that name is escaped. */
const ELEMENT_PATH = '[]';

/**
 * `.` and `/` inside a field's name are escaped, so that `{"a.b": …}` and `{a: {b: …}}` have two
 * paths. So is what PostgreSQL cannot store, since paths are kept there: NUL, halves of a pair.
 */
function escapeSegment(field: string): string {
  const escaped = /[./\\[]/.test(field) ? field.replace(/[./\\[]/g, '\\$&') : field;
  if (!escaped.includes('\0') && escaped.isWellFormed()) return escaped;
  return escaped.replace(
    /\0|\p{Surrogate}/gu,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Subtables nested deeper cannot be made: PostgreSQL's keys have 32 columns at most, and the
 * record's own key and `_sdc_sequence` take two.
 */
const LEVELS_MAX = 30;

/**
 * Both paths are in one index, whose rows end at 2,704 bytes. Past that the table or column could
 * not be made, and one record would stop its stream; rejected, it only stops itself.
 */
const PATHS_BYTES_MAX = 2_400;

function isTooLong(table: string, path: string): boolean {
  // No character takes more than three bytes for each of its units: most paths are not counted.
  if (3 * (table.length + path.length) <= PATHS_BYTES_MAX) return false;
  return byteLength(table) + byteLength(path) > PATHS_BYTES_MAX;
}

/** Stitch rejects such fields: `_sdc…`, `_rjm…`, and any ending in a type suffix, in any case. */
const RESERVED = new RegExp(`^(?:_sdc|_rjm)|__(?:${RESERVED_SUFFIXES.join('|')})$`, 'i');

function isReservedField(field: string): boolean {
  return RESERVED.test(field);
}

/** A field's name in a reason: names are ours to print, but only so much of them. */
function fieldLabel(field: string): string {
  return JSON.stringify(field.length > 80 ? `${field.slice(0, 80)}…` : field);
}
