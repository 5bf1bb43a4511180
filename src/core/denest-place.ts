import { INNER_ARRAY_PART, SCALAR_ELEMENT_COLUMN, type Layout } from './layout.js';
import { byteLength } from './naming.js';
import type { JsonRecord } from './record.js';
import type { StreamShape } from './stream.js';
import { RESERVED_SUFFIXES, textRule, type TextRule } from './typing.js';

/**
 * Places in a record, and all that follows from a place alone: its path, the column or table that
 * the layout wants for it, whether its name may be. The records of a page have the same places, so
 * this is worked out once for a page and not once for each of its 20,000 values (measured: de-nesting
 * takes a third of the time).
 */
interface PlaceContext {
  readonly stream: StreamShape;
  readonly layout: Layout;
}

/** What stands for an array's element in a path; a field of that name is escaped. */
const ELEMENT_PATH = '[]';

/** Where a scalar is. */
export interface CellPlace {
  readonly path: string;
  readonly column: string;
  readonly isVolatile: boolean;
  /** How the record's content begins to tell of a value here. */
  readonly contentLabel: string;
}

function contentLabel(path: string): string {
  return `\n${path.length}:${path}:`;
}

/** A record, an object in it, or an array's element: where fields are. */
export class ObjectPlace {
  private readonly fields = new Map<string, FieldPlace>();
  private lastNames: readonly string[] = [];
  private lastFields: readonly FieldPlace[] = [];

  private constructor(
    readonly context: PlaceContext,
    readonly table: string,
    readonly tableName: string,
    /** How many arrays deep. */
    readonly depth: number,
    /** Inside its row; empty for the record or element itself. */
    readonly path: string,
    readonly column: string,
    /** Field names from the record (or element) down to here, for typing. */
    readonly segments: readonly string[],
    readonly isVolatile: boolean,
  ) {}

  static record(context: PlaceContext): ObjectPlace {
    const { name } = context.stream;
    return new ObjectPlace(context, name, name, 0, '', '', [], false);
  }

  static element({ context, table, tableName, depth, isVolatile }: ArrayPlace): ObjectPlace {
    const { elementPrefix } = context.layout;
    return new ObjectPlace(context, table, tableName, depth, '', elementPrefix, [], isVolatile);
  }

  static inField(field: FieldPlace): ObjectPlace {
    const { context, table, tableName, depth } = field.parent;
    const { path, column, segments, isVolatile } = field;
    return new ObjectPlace(context, table, tableName, depth, path, column, segments, isVolatile);
  }

  /**
   * The fields of an object, in the order of their names: so that content does not depend on the
   * order in which they came, and new tables get Stitch's column order. Neighbours have mostly the
   * same fields.
   */
  fieldsOf(object: JsonRecord): readonly FieldPlace[] {
    const names = Object.keys(object);
    const last = this.lastNames;
    if (names.length !== last.length || names.some((name, index) => name !== last[index])) {
      this.lastNames = names;
      this.lastFields = [...names].sort().map((name) => this.field(name));
    }
    return this.lastFields;
  }

  private field(name: string): FieldPlace {
    const known = this.fields.get(name);
    if (known !== undefined) return known;
    const field = new FieldPlace(this, name);
    this.fields.set(name, field);
    return field;
  }
}

/** A field of an object. */
export class FieldPlace implements CellPlace {
  readonly path: string;
  /** The column name that the layout wants for it: `envelope__subject`. */
  readonly column: string;
  readonly segments: readonly string[];
  readonly rule: TextRule;
  readonly isKey: boolean;
  readonly isVolatile: boolean;
  readonly contentLabel: string;
  /** Whether its value stays one JSON value, whatever it is. */
  readonly isJson: boolean;
  /** Why no record may have it; undefined when it may. */
  readonly reserved: string | undefined;
  /** Why no record may have a value there; undefined when it may. */
  readonly tooLong: string | undefined;
  private objectPlace: ObjectPlace | undefined;
  private arrayPlace: ArrayPlace | undefined;

  constructor(
    readonly parent: ObjectPlace,
    readonly name: string,
  ) {
    const { stream } = parent.context;
    const isOwn = parent.segments.length === 0;
    const isTop = isOwn && parent.depth === 0;
    this.segments = [...parent.segments, name];
    this.path = isOwn ? escapeSegment(name) : `${parent.path}.${escapeSegment(name)}`;
    // An element's prefix, as `items__`, ends in the separator; a field may too, and is a part by itself.
    this.column = isOwn ? parent.column + name : `${parent.column}__${name}`;
    this.contentLabel = contentLabel(this.path);
    this.rule = textRule(this.segments);
    this.isKey = isTop && name === stream.key;
    this.isVolatile = parent.isVolatile || (isTop && isVolatile(stream, name));
    this.isJson = isTop && stream.jsonFields?.includes(name) === true;
    this.reserved = RESERVED.test(name) ? `Field name ${fieldLabel(name)} is reserved` : undefined;
    this.tooLong = isTooLong(parent.table, this.path)
      ? `Field name ${fieldLabel(this.path)} is too long`
      : undefined;
  }

  get object(): ObjectPlace {
    return (this.objectPlace ??= ObjectPlace.inField(this));
  }

  get array(): ArrayPlace {
    return (this.arrayPlace ??= ArrayPlace.inField(this));
  }
}

/** An array, which is a table of its own. */
export class ArrayPlace {
  /** How a text among its elements is told. */
  readonly rule: TextRule;
  /** Where an element that is a scalar is, in its own row. */
  readonly scalar: CellPlace;
  private elementPlace: ObjectPlace | undefined;
  private innerPlace: ArrayPlace | undefined;

  private constructor(
    readonly context: PlaceContext,
    readonly table: string,
    readonly tableName: string,
    /** How many arrays deep its elements are. */
    readonly depth: number,
    readonly segments: readonly string[],
    readonly isVolatile: boolean,
  ) {
    this.rule = textRule(segments);
    this.scalar = {
      ...{ path: ELEMENT_PATH, column: SCALAR_ELEMENT_COLUMN, isVolatile },
      contentLabel: contentLabel(ELEMENT_PATH),
    };
  }

  static inField({ parent, path, column, segments, isVolatile }: FieldPlace): ArrayPlace {
    const { context, depth } = parent;
    const { elementPrefix } = context.layout;
    // A subtable is named by its field alone: `leads__contacts__emails`, not `…__items__emails`.
    const part =
      depth > 0 && column.startsWith(elementPrefix) ? column.slice(elementPrefix.length) : column;
    return new ArrayPlace(
      context,
      `${parent.table}/${path}`,
      `${parent.tableName}__${part}`,
      depth + 1,
      segments,
      isVolatile,
    );
  }

  get element(): ObjectPlace {
    return (this.elementPlace ??= ObjectPlace.element(this));
  }

  /** An array directly inside this one. */
  get inner(): ArrayPlace {
    return (this.innerPlace ??= new ArrayPlace(
      this.context,
      `${this.table}/${ELEMENT_PATH}`,
      `${this.tableName}__${INNER_ARRAY_PART}`,
      this.depth + 1,
      this.segments,
      this.isVolatile,
    ));
  }
}

function isVolatile(stream: StreamShape, field: string): boolean {
  return stream.loading === 'append' && stream.volatileFields.includes(field);
}

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

/** A field's name in a reason: names are ours to print, but only so much of them. */
function fieldLabel(field: string): string {
  return JSON.stringify(field.length > 80 ? `${field.slice(0, 80)}…` : field);
}
