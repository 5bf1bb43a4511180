import type { Cell, Row } from './denest.js';
import { byteLength } from './naming.js';
import type { ColumnType } from './typing.js';

/**
 * How wide a row is for PostgreSQL. It keeps a row in one page of 8 kB; long values move out of it,
 * but each leaves a pointer behind, and short ones stay. So a row of some hundred filled columns
 * may be refused, and that must be seen before.
 *
 * Upper bounds, alignment included (PostgreSQL documentation, storage-toast and
 * storage-page-layout, read 2026-11).
 */
const FIXED_BYTES: Partial<Record<ColumnType, number>> = {
  boolean: 1,
  bigint: 15,
  'double precision': 15,
  timestamptz: 15,
};
/** A longer text moves out of the row, and leaves a pointer. */
const INLINE_TEXT_BYTES_MAX = 20;
const POINTER_BYTES = 18;
const CELL_BYTES_MAX = INLINE_TEXT_BYTES_MAX + 1;

/** 8,160 bytes at most, less the header, a bit for each column, and the system columns. */
export const ROW_BYTES_MAX = 7_700;

/** Rows with fewer cells fit, whatever they hold: most rows need not be measured. */
const SAFE_CELLS = Math.floor(ROW_BYTES_MAX / CELL_BYTES_MAX);

export function mayBeTooWide(row: Row): boolean {
  return row.cells.length > SAFE_CELLS;
}

export function cellBytes({ type, value }: Pick<Cell, 'type' | 'value'>): number {
  const fixed = FIXED_BYTES[type];
  if (fixed !== undefined) return fixed;
  const text = String(value);
  const bytes = text.length > INLINE_TEXT_BYTES_MAX ? text.length : byteLength(text);
  return bytes > INLINE_TEXT_BYTES_MAX ? POINTER_BYTES : bytes + 1;
}
