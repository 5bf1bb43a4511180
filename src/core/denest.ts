import type { Instant } from './instant.js';
import { INNER_ARRAY_PART, SCALAR_ELEMENT_COLUMN, type Layout } from './layout.js';
import { ExactNumber, isJsonRecord, type JsonRecord, type JsonValue } from './record.js';
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
  /** The field's path inside its table, segments escaped and joined by `.`: `envelope.subject`. */
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

/** An object or array that waits to be walked, and where its leaves go. */
interface Frame {
  readonly value: JsonRecord | readonly JsonValue[];
  readonly table: string;
  readonly tableName: string;
  readonly levels: readonly number[];
  readonly row: { cells: Cell[] };
  readonly path: string;
  readonly column: string;
  /** Field names from the record (or element) down to here, for typing. */
  readonly segments: readonly string[];
  readonly isVolatile: boolean;
}

/**
 * De-nests one record. Never throws on bad data: what no table can take comes back as a reject.
 * The walk keeps its own stack, so depth cannot overflow the call stack.
 */
export function denest(record: JsonRecord, stream: StreamShape, layout: Layout): DenestResult {
  const key = record[stream.key];
  if (typeof key !== 'string' || key === '') {
    return rejected(record, stream, `Field ${stream.key} is missing or is not a text`);
  }
  const walk = new Walk(stream, layout);
  const problem = walk.run(record);
  if (problem !== undefined) return rejected(record, stream, problem);
  const version = classify([stream.versionField], scalarOrNull(record[stream.versionField]));
  return {
    record,
    key: storableText(key),
    version: version?.type === 'timestamptz' ? (version.value as Instant) : null,
    rows: walk.rows,
    content: walk.content.join('\n'),
  };
}

function rejected(record: JsonRecord, stream: StreamShape, reason: string): DenestResult {
  return { reject: { record, table: stream.name, reason } };
}

class Walk {
  readonly rows: Row[] = [];
  readonly content: string[] = [];
  private readonly stack: Frame[] = [];

  constructor(
    private readonly stream: StreamShape,
    private readonly layout: Layout,
  ) {}

  /** Walks the whole record; returns why it must be rejected, or undefined. */
  run(record: JsonRecord): string | undefined {
    const { name } = this.stream;
    const row = this.addRow(name, name, []);
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

  private walkObject(frame: Frame, object: JsonRecord): string | undefined {
    const isTop = frame.segments.length === 0 && frame.levels.length === 0;
    const nested: Frame[] = [];
    // Sorted, so that content does not depend on key order and new tables get Stitch's column order.
    for (const field of Object.keys(object).sort()) {
      if (isReservedField(field)) return `Field name ${fieldLabel(field)} is reserved`;
      const value = object[field] as JsonValue;
      const isKey = isTop && field === this.stream.key;
      const isVolatile = frame.isVolatile || (isTop && this.isVolatile(field));
      if (isKey || value === null) continue;
      const segments = [...frame.segments, field];
      const path =
        frame.path === '' ? escapeSegment(field) : `${frame.path}.${escapeSegment(field)}`;
      const column = frame.column === '' ? field : joinNames(frame.column, field);
      if (isNested(value)) {
        nested.push({ ...frame, value, segments, path, column, isVolatile });
      } else {
        this.addCell(frame, path, column, classify(segments, value), isVolatile);
      }
    }
    // The stack gives back the last one first.
    for (const child of nested.reverse()) this.push(child);
    return undefined;
  }

  private walkArray(frame: Frame, elements: readonly JsonValue[]): string | undefined {
    const table = `${frame.table}/${frame.path}`;
    const tableName = `${frame.tableName}__${this.tablePart(frame)}`;
    const nested: Frame[] = [];
    elements.forEach((value, index) => {
      const levels = [...frame.levels, index];
      const row = this.addRow(table, tableName, levels, frame.isVolatile);
      const element = { table, tableName, levels, row, isVolatile: frame.isVolatile };
      if (isNested(value)) {
        const isInnerArray = Array.isArray(value);
        nested.push({
          ...element,
          value,
          segments: isInnerArray ? frame.segments : [],
          path: isInnerArray ? INNER_ARRAY_PART : '',
          column: isInnerArray ? INNER_ARRAY_PART : this.layout.elementPrefix,
        });
      } else {
        const typed = classify(frame.segments, value);
        const name = SCALAR_ELEMENT_COLUMN;
        this.addCell({ ...frame, ...element }, name, name, typed, frame.isVolatile);
      }
    });
    for (const child of nested.reverse()) this.stack.push(child);
    return undefined;
  }

  /** Puts an object or array on the stack, or makes it one `jsonb` cell where the layout wants that. */
  private push(frame: Frame): void {
    if (this.layout.hasSubtables || !Array.isArray(frame.value)) {
      this.stack.push(frame);
      return;
    }
    const value = JSON.stringify(frame.value, (_key, inner: unknown) =>
      typeof inner === 'string' ? storableText(inner) : inner,
    );
    this.addCell(frame, frame.path, frame.column, { type: 'jsonb', value }, frame.isVolatile);
  }

  private addRow(
    table: string,
    tableName: string,
    levels: readonly number[],
    isVolatile = false,
  ): { cells: Cell[] } {
    const row = { table, tableName, levels, cells: [] as Cell[] };
    this.rows.push(row);
    if (!isVolatile) this.content.push(`${table}[${levels.join(',')}]`);
    return row;
  }

  /** A subtable is named by its field alone: `leads__contacts__emails`, not `…__items__emails`. */
  private tablePart(frame: Frame): string {
    const prefix = this.layout.elementPrefix;
    const isInElement = frame.levels.length > 0 && frame.column.startsWith(prefix);
    return isInElement ? frame.column.slice(prefix.length) : frame.column;
  }

  private addCell(
    frame: Pick<Frame, 'row' | 'table' | 'levels'>,
    path: string,
    column: string,
    typed: TypedValue | undefined,
    isVolatile: boolean,
  ): void {
    if (typed === undefined) return;
    frame.row.cells.push({ path, column, type: typed.type, value: typed.value });
    if (isVolatile) return;
    const text = String(typed.value);
    // With its length, so that no value can look like the beginning of another field.
    this.content.push(`${path}:${TYPE_SUFFIX[typed.type]}:${text.length}=${text}`);
  }

  private isVolatile(field: string): boolean {
    return this.stream.loading === 'append' && this.stream.volatileFields.includes(field);
  }
}

function isNested(value: JsonValue): value is JsonRecord | readonly JsonValue[] {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
}

function scalarOrNull(value: JsonValue | undefined): JsonValue {
  return value === undefined || Array.isArray(value) || isJsonRecord(value) ? null : value;
}

/** `.` and `/` inside a field's name are escaped, so that `{"a.b": …}` and `{a: {b: …}}` have two paths. */
function escapeSegment(field: string): string {
  return /[./\\]/.test(field) ? field.replace(/[./\\]/g, '\\$&') : field;
}

function joinNames(column: string, field: string): string {
  // An element's prefix already ends in the separator: `items__` + `value`.
  return column.endsWith('__') ? column + field : `${column}__${field}`;
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
