/** A large warehouse out of a small one, quicker than any history is read. */
import type pg from 'pg';

/**
 * Gives every record of a schema `copies` more, with all rows of its subtables, under keys of their
 * own, then what a historical sync ends with: figures for the planner. Answers how many records
 * there are now.
 */
export async function multiplyRecords(
  pool: pg.Pool,
  schema: string,
  copies: number,
): Promise<number> {
  const tables = await rootsAndSubtables(pool, schema);
  let records = 0;
  for (const { name, columns, levels } of tables) {
    const table = `"${schema}"."${name}"`;
    const others = columns.filter((column) => column !== 'id').map((column) => `"${column}"`);
    await pool.query(
      `INSERT INTO ${table} (id, ${others.join(', ')})
       SELECT id || '_' || copy, ${others.join(', ')} FROM ${table}, generate_series(1, $1::int) copy`,
      [copies],
    );
    await pool.query(`VACUUM (ANALYZE) ${table}`);
    if (levels > 0) continue;
    const { rows } = await pool.query<{ count: number }>(`SELECT count(*) AS count FROM ${table}`);
    records += rows[0]?.count ?? 0;
  }
  return records;
}

interface TableShape {
  readonly name: string;
  readonly levels: number;
  readonly columns: readonly string[];
}

async function rootsAndSubtables(pool: pg.Pool, schema: string): Promise<readonly TableShape[]> {
  const { rows } = await pool.query<TableShape>(
    `SELECT t.table_name AS name, t.levels, array_agg(c.column_name::text ORDER BY ordinal_position) AS columns
       FROM closehaul.warehouse_tables t
       JOIN information_schema.columns c ON c.table_schema = t.schema_name AND c.table_name = t.table_name
      WHERE t.schema_name = $1
      GROUP BY t.table_name, t.levels
     HAVING bool_or(c.column_name = 'id')`,
    [schema],
  );
  return rows;
}
