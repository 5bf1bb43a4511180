import type { Cell, Row } from '../core/denest.js';
import type { Schema, Table } from '../core/schema.js';

/**
 * Rows as the two texts that PostgreSQL takes from us: lines for COPY, JSON for the merge of
 * records that are there already (see `statements.ts`). Text at once: to build thousands of objects
 * that have all different keys takes longer than PostgreSQL takes for the rest.
 */

/** What all rows of one record have beside their values, as COPY reads it. */
export interface RecordStamp {
  readonly key: string;
  /** `_sdc_received_at`, `_sdc_batched_at` and `_sdc_sequence`. */
  readonly system: string;
}

export function recordStamp(key: string, system: readonly string[]): RecordStamp {
  return { key: copyText(key), system: system.join('\t') };
}

const NULL = '\\N';

/** Lines of one table for COPY, in the order of `copyRows`. */
export class CopyLines {
  private readonly lines: string[] = [];
  /** The values of a row that has none. */
  private readonly empty: readonly string[];
  /** Index of a column → its place among the values. */
  private readonly places: readonly number[];

  constructor(
    private readonly schema: Schema,
    private readonly table: Table,
  ) {
    let width = 0;
    this.places = table.columns.map(({ place }) => (place === 'overflow' ? -1 : width++));
    const hasOverflow = table.columns.some(({ place }) => place !== 'column');
    this.empty = Array.from({ length: hasOverflow ? width + 1 : width }, () => NULL);
  }

  /** `hash` is the record's, for its own row. */
  add(row: Row, { key, system }: RecordStamp, hash?: string): void {
    const values = this.empty.slice();
    const overflow = eachValue(this.schema, this.table, row, (index, { type, value }) => {
      const mayHoldAny = type === 'text' || type === 'jsonb';
      values[this.places[index] as number] = mayHoldAny ? copyText(String(value)) : String(value);
    });
    if (overflow !== undefined) values[values.length - 1] = copyText(overflow);
    const levels = row.levels.length === 0 ? '' : `\t${row.levels.join('\t')}`;
    const own = hash === undefined ? system : `${system}\t${hash}`;
    const given = values.length === 0 ? '' : `\t${values.join('\t')}`;
    this.lines.push(`${key}${levels}\t${own}${given}`);
  }

  get count(): number {
    return this.lines.length;
  }

  text(): string {
    return this.lines.join('\n');
  }
}

/** COPY's text format has these four to escape (PostgreSQL documentation, COPY, "Text Format"). */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function copyText(text: string): string {
  if (!/[\\\n\r\t]/.test(text)) return text;
  return text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] as string);
}

/** A record's own row for `mergeRoots`: `{"k":"lead_1","n":3,"h":"…","c0":"Bluth"}`. */
export function mergeJson(
  schema: Schema,
  table: Table,
  row: Row,
  record: { readonly key: string; readonly ordinal: number; readonly hash: string },
): string {
  let text = `{"k":${JSON.stringify(record.key)},"n":${record.ordinal},"h":"${record.hash}"`;
  const overflow = eachValue(schema, table, row, (index, { type, value }) => {
    const mayHoldAny = type === 'text' || type === 'jsonb';
    const json = mayHoldAny || typeof value !== 'string' ? JSON.stringify(value) : `"${value}"`;
    text += `,"c${index}":${json}`;
  });
  return overflow === undefined ? `${text}}` : `${text},"o":${JSON.stringify(overflow)}}`;
}

/**
 * Gives each value with the index of its column; returns the JSON of those that have no column, for
 * `_sdc_overflow`.
 */
function eachValue(
  schema: Schema,
  table: Table,
  row: Row,
  give: (index: number, cell: Cell) => void,
): string | undefined {
  let overflow: string | undefined;
  for (const cell of row.cells) {
    const index = schema.columnIndex(table.path, cell);
    const column = index === undefined ? undefined : table.columns[index];
    if (index === undefined || column === undefined) {
      throw new TypeError('a page was written before its columns');
    }
    if (column.place === 'column') give(index, cell);
    else {
      const before = overflow === undefined ? '' : `${overflow},`;
      overflow = `${before}${JSON.stringify(column.name)}:${overflowJson(cell)}`;
    }
  }
  return overflow === undefined ? undefined : `{${overflow}}`;
}

/** A value inside `_sdc_overflow`, where nothing but its own JSON tells its type. */
function overflowJson({ type, value }: Cell): string {
  return type === 'text' || type === 'timestamptz' ? JSON.stringify(value) : String(value);
}
