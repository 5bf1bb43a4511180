import type { JsonRecord } from '../../src/core/record.js';
import { quote } from '../../src/postgres/pool.js';
import type { Warehouse } from './warehouse.js';

export interface TableContent {
  /** Name and type of each column that holds a field; `date_updated`, which all have, is left out. */
  readonly columns: Record<string, string>;
  /** What is not null in each row, as text, in the order of keys and positions. */
  readonly rows: readonly Record<string, string>[];
}

const POSITION = /^_sdc_(?:source_key_|level_\d)/;

/** What PostgreSQL says of all tables and rows, but for the system columns and one record. */
export async function readTables(
  warehouse: Warehouse,
  without: JsonRecord,
): Promise<Record<string, TableContent>> {
  const { schema, catalog } = warehouse;
  const hidden = new Set(Object.keys(without).filter((field) => field !== 'id'));
  const found = (await warehouse.rows(
    `SELECT c.relname AS name,
            json_agg(json_build_array(attname, format_type(atttypid, NULL)) ORDER BY attnum) AS columns
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname <> '_sdc_rejected'
        AND attnum > 0 AND NOT attisdropped
      GROUP BY c.relname`,
    [schema],
  )) as { name: string; columns: [string, string][] }[];
  const tables: Record<string, TableContent> = {};
  for (const { name, columns } of found) {
    const isRoot = columns.some(([column]) => column === '_sdc_record_hash');
    const key = isRoot ? 'id' : catalog.layout.parentKeyColumn('id');
    const isData = ([column]: [string, string]): boolean =>
      column !== key && !column.startsWith('_sdc_') && !(isRoot && hidden.has(column));
    const places = columns.map(([column]) => column).filter((column) => POSITION.test(column));
    const shown = [key, ...places.filter((place) => place !== key)];
    const data = columns.filter(isData);
    const texts = [...shown, ...data.map(([column]) => column)];
    const levels = places.filter((place) => place.startsWith('_sdc_level'));
    const rows = await warehouse.rows(
      `SELECT array[${texts.map((column) => `${quote(column)}::text`).join(', ')}] AS row
         FROM ${quote(schema)}.${quote(name)} WHERE ${quote(key)} <> $1
        ORDER BY ${[key, ...levels].map(quote).join(', ')}, _sdc_sequence`,
      [without['id']],
    );
    tables[name] = {
      columns: Object.fromEntries(data),
      rows: (rows as { row: (string | null)[] }[]).map(({ row }) =>
        Object.fromEntries(
          texts.flatMap((column, index) => {
            const text = row[index];
            return text === null || text === undefined ? [] : [[column, text]];
          }),
        ),
      ),
    };
  }
  return tables;
}
