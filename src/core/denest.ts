import { ObjectPlace, type ArrayPlace, type CellPlace } from './denest-place.js';
import type { Instant } from './instant.js';
import { jsonText } from './json-text.js';
import type { Layout } from './layout.js';
import { isNested, type JsonRecord, type JsonValue } from './record.js';
import type { StreamShape } from './stream.js';
import { classify, classifyAs, storableText, TYPE_SUFFIX, type TypedValue } from './typing.js';

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
  /** What the row adds to `content`, in parts; null when it comes from a volatile field. */
  readonly content: (string | number)[] | null;
}

/** An object or array that waits to be walked, and where its leaves go. */
type Frame = { readonly levels: readonly number[]; readonly row: Draft } & (
  | { readonly object: JsonRecord; readonly place: ObjectPlace }
  | { readonly elements: readonly JsonValue[]; readonly place: ArrayPlace }
);

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
  return denestAt(ObjectPlace.record({ stream, layout }), record, asSent);
}

function denestAt(place: ObjectPlace, record: JsonRecord, asSent: JsonRecord): DenestResult {
  const { stream } = place.context;
  const key = record[stream.key];
  if (typeof key !== 'string' || key === '') {
    return rejected(asSent, stream, `Field ${stream.key} is missing or is not a text`);
  }
  // Made storable, it could be another record's key, and one of the two would overwrite the other.
  if (storableText(key) !== key) {
    return rejected(asSent, stream, `Field ${stream.key} holds what PostgreSQL cannot store`);
  }
  const walk = new Walk(place.context.layout);
  const problem = walk.run(record, place);
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
  const place = ObjectPlace.record({ stream, layout });
  for (const [index, record] of records.entries()) {
    const result = denestAt(place, record, asSent[index] ?? record);
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

  constructor(private readonly layout: Layout) {}

  /** Walks the whole record; returns why it must be rejected, or undefined. */
  run(record: JsonRecord, place: ObjectPlace): string | undefined {
    const row = this.addRow(place, []);
    this.stack.push({ object: record, place, levels: [], row });
    for (let frame = this.stack.pop(); frame !== undefined; frame = this.stack.pop()) {
      const problem = 'object' in frame ? this.walkObject(frame) : this.walkArray(frame);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /**
   * Row by row, so that a field that moves from one element to the next makes a difference. Joined
   * once, since a text for each field is most of what a page leaves to the garbage collector.
   */
  content(): string {
    return this.drafts.map(({ content }) => content?.join('') ?? '').join('');
  }

  private walkObject(frame: Extract<Frame, { object: JsonRecord }>): string | undefined {
    const { object, levels, row } = frame;
    const nested: Frame[] = [];
    for (const field of frame.place.fieldsOf(object)) {
      if (field.reserved !== undefined) return field.reserved;
      const value = object[field.name] as JsonValue;
      if (field.isKey || value === null) continue;
      if (field.tooLong !== undefined) return field.tooLong;
      const isArray = Array.isArray(value);
      if (field.isJson || (isArray && !this.layout.hasSubtables)) {
        addCell(row, field, { type: 'jsonb', value: jsonText(value) });
      } else if (isArray) {
        const elements = value as readonly JsonValue[];
        nested.push({ elements, place: field.array, levels, row });
      } else if (isNested(value)) {
        nested.push({ object: value as JsonRecord, place: field.object, levels, row });
      } else {
        addCell(row, field, classifyAs(field.rule, value));
      }
    }
    // The stack gives back the last one first.
    for (const child of nested.reverse()) this.stack.push(child);
    return undefined;
  }

  private walkArray(frame: Extract<Frame, { place: ArrayPlace }>): string | undefined {
    const { elements, place } = frame;
    if (place.depth > LEVELS_MAX) return `Arrays lie more than ${LEVELS_MAX} deep`;
    const nested: Frame[] = [];
    for (const [index, value] of elements.entries()) {
      const levels = [...frame.levels, index];
      const row = this.addRow(place, levels);
      if (Array.isArray(value)) {
        const inner = value as readonly JsonValue[];
        nested.push({ elements: inner, place: place.inner, levels, row });
      } else if (isNested(value)) {
        nested.push({ object: value as JsonRecord, place: place.element, levels, row });
      } else {
        addCell(row, place.scalar, classifyAs(place.rule, value));
      }
    }
    for (const child of nested.reverse()) this.stack.push(child);
    return undefined;
  }

  private addRow(place: ObjectPlace | ArrayPlace, levels: readonly number[]): Draft {
    const { table, tableName, isVolatile } = place;
    const cells: Cell[] = [];
    this.rows.push({ table, tableName, levels, cells });
    const begins = this.drafts.length === 0 ? '#' : '\n#';
    const content = isVolatile ? null : [begins, table.length, ':', table, `[${levels.join(',')}]`];
    const draft = { cells, content };
    this.drafts.push(draft);
    return draft;
  }
}

function addCell(row: Draft, place: CellPlace, typed: TypedValue | undefined): void {
  if (typed === undefined) return;
  const { path, column } = place;
  const { type, value } = typed;
  row.cells.push({ path, column, type, value });
  if (place.isVolatile || row.content === null) return;
  const text = String(value);
  // With their lengths, so that neither a name nor a value can look like another field.
  row.content.push(place.contentLabel, TYPE_SUFFIX[type], ':', text.length, '=', text);
}

function scalarOrNull(value: JsonValue | undefined): JsonValue {
  return value === undefined || isNested(value) ? null : value;
}

/**
 * Subtables nested deeper cannot be made: PostgreSQL's keys have 32 columns at most, and the
 * record's own key and `_sdc_sequence` take two.
 */
const LEVELS_MAX = 30;
