/** Whole warehouses, read for comparing. */
import type pg from 'pg';

/** Values that say when and in which batch a row came, not what it is. */
const OF_ARRIVAL = ['_sdc_batched_at', '_sdc_received_at', '_sdc_sequence', '_sdc_rejected_at'];

/** Each table with its columns and, in order, its rows as JSON. */
export interface TableContent {
  readonly columns: readonly string[];
  readonly rows: readonly string[];
}

export type Warehouse = ReadonlyMap<string, TableContent>;

export async function readWarehouse(pool: pg.Pool, schema: string): Promise<Warehouse> {
  const tables = await pool.query<{ name: string; columns: string[] }>(
    `SELECT t.table_name AS name, array_agg(c.column_name::text ORDER BY c.column_name) AS columns
       FROM information_schema.tables t
       JOIN information_schema.columns c USING (table_schema, table_name)
      WHERE t.table_schema = $1 AND t.table_type = 'BASE TABLE'
      GROUP BY t.table_name ORDER BY t.table_name`,
    [schema],
  );
  const warehouse = new Map<string, TableContent>();
  for (const { name, columns } of tables.rows) {
    const { rows } = await pool.query<{ content: string }>(
      `SELECT (to_jsonb(r) - $1::text[])::text AS content
         FROM "${schema}"."${name}" r ORDER BY 1`,
      [OF_ARRIVAL],
    );
    warehouse.set(name, { columns, rows: rows.map(({ content }) => content) });
  }
  return warehouse;
}

/** What two warehouses differ in, one line for each table; empty when they are equal row for row. */
export function differences(left: Warehouse, right: Warehouse): readonly string[] {
  const names = [...new Set([...left.keys(), ...right.keys()])].sort();
  return names.flatMap((name) => {
    const [a, b] = [left.get(name), right.get(name)];
    if (a === undefined || b === undefined) return [`${name}: only in one of them`];
    if (a.columns.join() !== b.columns.join()) return [`${name}: other columns`];
    const [onlyLeft, onlyRight] = [without(a.rows, b.rows), without(b.rows, a.rows)];
    if (onlyLeft.length + onlyRight.length === 0) return [];
    return [
      `${name}: ${onlyLeft.length} rows only in the first, ${onlyRight.length} only in the second;` +
        ` such as ${onlyLeft[0] ?? 'none'} and ${onlyRight[0] ?? 'none'}`,
    ];
  });
}

/** The rows that are more often in `rows` than in `others`. */
function without(rows: readonly string[], others: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const row of others) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const left = counts.get(row) ?? 0;
    counts.set(row, left - 1);
    return left <= 0;
  });
}

/** Rows of each table, as `closehaul start` shows them. */
export function countsOf(warehouse: Warehouse): Readonly<Record<string, number>> {
  return Object.fromEntries([...warehouse].map(([name, { rows }]) => [name, rows.length]));
}
