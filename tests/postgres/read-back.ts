import pg from 'pg';
import { parseExactJson } from '../../src/close/exact-json.js';
import { parseInstant } from '../../src/core/instant.js';
import {
  DeclaredText,
  ExactNumber,
  isJsonRecord,
  type JsonRecord,
  type JsonValue,
} from '../../src/core/record.js';
import { classify, storableText } from '../../src/core/typing.js';
import { quote } from '../../src/postgres/pool.js';
import type { Warehouse } from './warehouse.js';

/**
 * Re-nesting: records out of their tables, by nothing but the paths that are stored beside the
 * names, and the positions in the rows. What `missing` finds is what de-nesting or loading lost.
 */

/** A leaf that is not null: the way to it, as `["contacts",0,"name"]`, and what it says. */
export interface Leaf {
  readonly place: string;
  /** `s:` and a text, `n:` and a number's digits, `b:` and a boolean, `t:` and an instant. */
  readonly value: string;
}

/** Every version of every record of a stream, oldest first; of an upserted record there is one. */
export async function readBack(
  warehouse: Pick<Warehouse, 'rows' | 'schema' | 'catalog'>,
  stream: string,
): Promise<ReadonlyMap<string, readonly Leaf[][]>> {
  const { schema, catalog } = warehouse;
  const versions = new Map<string, Map<string, Leaf[]>>();
  const tables = await warehouse.rows(
    `SELECT t.path, table_name AS name, levels,
            coalesce(json_agg(json_build_object('path', c.path, 'type', type, 'name', column_name, 'place', place))
                     FILTER (WHERE c.path IS NOT NULL), '[]') AS columns
       FROM closehaul.warehouse_tables t
       LEFT JOIN closehaul.warehouse_columns c
         ON c.schema_name = t.schema_name AND c.table_path = t.path
      WHERE t.schema_name = $1 AND stream = $2
      GROUP BY t.path, t.table_name, t.levels ORDER BY t.levels`,
    [schema, stream],
  );
  const filled = await filledOf(warehouse, tables as unknown as StoredTable[]);
  for (const { path, name, levels, columns } of filled) {
    const key = levels === 0 ? 'id' : catalog.layout.parentKeyColumn('id');
    const positions = Array.from({ length: levels }, (_, level) => `_sdc_level_${level}_id`);
    const own = [key, '_sdc_sequence', ...positions].map((column) => `${quote(column)}::text`);
    const texts = [...own, ...columns.map(textOf)].join(', ');
    const rows = await warehouse.rows(
      `SELECT array[${texts}] AS row FROM ${quote(schema)}.${quote(name)} ORDER BY _sdc_sequence`,
    );
    for (const { row } of rows as { row: (string | null)[] }[]) {
      const [id, sequence, ...values] = row as [string, string, ...(string | null)[]];
      const leaves = leavesOfVersion(versions, id, sequence, levels === 0);
      const levelsAt = values.slice(0, levels).map(Number);
      const cells = columns.flatMap((column, index) => {
        const text = values[levels + index];
        return text === null || text === undefined ? [] : [{ ...column, text }];
      });
      leaves.push(...renest(path, levelsAt, cells));
    }
  }
  return new Map([...versions].map(([id, bySequence]) => [id, [...bySequence.values()]]));
}

/** Most tables of a small warehouse are empty, and asking wide ones for their rows costs time. */
async function filledOf(
  { rows, schema }: Pick<Warehouse, 'rows' | 'schema'>,
  tables: readonly StoredTable[],
): Promise<readonly StoredTable[]> {
  if (tables.length === 0) return [];
  const looks = tables.map(({ name }) => `EXISTS (SELECT FROM ${quote(schema)}.${quote(name)})`);
  const [row] = await rows(`SELECT array[${looks.join(', ')}] AS filled`);
  const filled = row?.['filled'] as readonly boolean[];
  return tables.filter((_, index) => filled[index]);
}

/** The leaves of one row, by what it says of itself: the path of its table and of its columns. */
export function renest(
  table: string,
  levels: readonly number[],
  cells: readonly { readonly path: string; readonly type: string; readonly text: string }[],
): Leaf[] {
  const arrays = split(table, '/').slice(1);
  const way = arrays.flatMap((part, level) => [...fields(part), levels[level] ?? NaN]);
  return cells.flatMap(({ path, type, text }) =>
    storedLeaves([...way, ...fields(path)], type, text),
  );
}

interface StoredTable {
  readonly path: string;
  readonly name: string;
  readonly levels: number;
  readonly columns: readonly StoredColumn[];
}

interface StoredColumn {
  readonly path: string;
  readonly type: string;
  readonly name: string;
  readonly place: 'column' | 'overflow' | 'moved';
}

function textOf({ name, place }: StoredColumn): string {
  const overflow = `_sdc_overflow->>${pg.escapeLiteral(name)}`;
  if (place === 'overflow') return overflow;
  const column = `${quote(name)}::text`;
  return place === 'moved' ? `coalesce(${column}, ${overflow})` : column;
}

function leavesOfVersion(
  versions: Map<string, Map<string, Leaf[]>>,
  id: string,
  sequence: string,
  isRoot: boolean,
): Leaf[] {
  const known = versions.get(id)?.get(sequence);
  if (known !== undefined) return known;
  if (!isRoot) throw new Error(`ghost: rows of ${id} in version ${sequence}, which is not there`);
  const leaves: Leaf[] = [];
  const bySequence = versions.get(id) ?? new Map<string, Leaf[]>();
  versions.set(id, bySequence.set(sequence, leaves));
  return leaves;
}

function split(path: string, separator: '.' | '/'): string[] {
  const parts = [''];
  for (const [unit] of path.matchAll(/\\?[^]/g)) {
    if (unit === separator) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${unit}`);
  }
  return parts;
}

function fields(path: string): string[] {
  if (path === '[]') return [];
  return split(path, '.').map((part) =>
    part.replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_, code: string | undefined, unit: string) =>
      code === undefined ? unit : String.fromCharCode(parseInt(code, 16)),
    ),
  );
}

type Way = readonly (string | number)[];

/** Without what PostgreSQL's JSON cannot hold in a key, nor what stands there instead. */
function placeOf(way: Way): string {
  const keys = way.map((step) =>
    typeof step === 'string' ? step.replace(/[\0\ufffd\p{Surrogate}]+/gu, '') : step,
  );
  return JSON.stringify(keys);
}

function storedLeaves(way: Way, type: string, text: string): Leaf[] {
  if (type === 'jsonb') {
    return leavesOf(parseExactJson(text), way).map(([leafWay, value]) => ({
      place: placeOf(leafWay),
      value: valueOf(value),
    }));
  }
  const place = placeOf(way);
  if (type === 'text') return [{ place, value: `s:${text}` }];
  if (type === 'boolean') return [{ place, value: `b:${text}` }];
  if (type === 'timestamptz') return [{ place, value: `t:${parseInstant(text) ?? text}` }];
  return [{ place, value: `n:${digits(text)}` }];
}

type Scalar = boolean | number | string | ExactNumber;

/** With a stack of its own: a value may be nested more deeply than calls can be. */
function leavesOf(record: JsonValue, start: Way = []): [Way, Scalar][] {
  const leaves: [Way, Scalar][] = [];
  const stack: [Way, JsonValue][] = [[start, record]];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const [way, value] = step;
    if (Array.isArray(value)) {
      (value as JsonValue[]).forEach((each, index) => stack.push([[...way, index], each]));
    } else if (isJsonRecord(value)) {
      for (const [field, each] of Object.entries(value)) stack.push([[...way, field], each]);
    } else if (value !== null) {
      leaves.push([way, value instanceof DeclaredText ? value.text : (value as Scalar)]);
    }
  }
  return leaves;
}

function valueOf(value: Scalar): string {
  if (typeof value === 'boolean') return `b:${value}`;
  if (typeof value === 'string') return `s:${storableText(value)}`;
  return `n:${digits(value instanceof ExactNumber ? value.text : String(value))}`;
}

/** A number's digits and its power of ten: equal for equal numbers, however they are written. */
function digits(text: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  if (all === '') return whole === '' ? text : '0';
  const kept = all.replace(/(?<!0)0+$/, '');
  return `${sign}${kept}e${Number(power) - fraction.length + all.length - kept.length}`;
}

/**
 * What of `record` is not among `leaves`, and what of `leaves` is not in `record`; both are empty
 * when it came back whole. The key is in no path: it is a column of each table.
 */
export function difference(record: JsonRecord, leaves: readonly Leaf[]): [string[], string[]] {
  const left = new Map<string, string[]>();
  for (const { place, value } of leaves) {
    const values = left.get(place);
    if (values === undefined) left.set(place, [value]);
    else values.push(value);
  }
  const missing: string[] = [];
  for (const [way, value] of leavesOf(record)) {
    if (way.length === 1 && way[0] === 'id') continue;
    const place = placeOf(way);
    const values = left.get(place) ?? [];
    const index = values.findIndex((each) => says(each, value));
    if (index === -1) missing.push(`${place} ${valueOf(value)}`);
    else values.splice(index, 1);
  }
  const invented = [...left].flatMap(([place, values]) => values.map((each) => `${place} ${each}`));
  return [missing, invented];
}

function says(stored: string, value: Scalar): boolean {
  if (stored === valueOf(value)) return true;
  if (typeof value === 'string') return stored === `t:${parseInstant(value) ?? 'none'}`;
  // A number that PostgreSQL has no type for is kept as it was written.
  if (!(value instanceof ExactNumber) || classify([], value)?.type !== 'text') return false;
  return stored === `s:${value.text}`;
}
