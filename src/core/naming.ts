/**
 * Names of schemas, tables and columns.
 *
 *   schemaName('Stitch Closeio')        →  { schema: 'stitch_closeio' }
 *   chooseName('a__b', new Set(), 59)   →  a__b
 *   chooseName('a__b', taken, 59)       →  a__b_9f3c21d0     (a hash of the field's full path)
 *
 * Invariant: a name, once chosen, is stored and never computed again, so neither the order in which
 * fields arrive nor a later field can rename a column.
 */

/** PostgreSQL cuts identifiers at 63 bytes, in silence. */
export const TABLE_BYTES_MAX = 63;
/** Four bytes less: room for a type suffix such as `__bi` (Stitch's limit, read 2026-11). */
export const COLUMN_BYTES_MAX = 59;

const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  'closehaul',
  'public',
  'information_schema',
]);

/** Why a name makes no schema; the codes are those of the error catalogue. */
export type NameProblem = 'NAME_EMPTY' | 'NAME_TOO_LONG' | 'NAME_RESERVED';

/** Latin letters that Unicode takes for letters of their own, and not for one with an accent. */
const UNACCENTED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ð: 'd', þ: 'th', đ: 'd', ħ: 'h', ı: 'i', ĸ: 'k' },
    ...{ ł: 'l', ŋ: 'n', ŧ: 't', ƀ: 'b', ɖ: 'd', ɨ: 'i', ɓ: 'b', ɗ: 'd', ə: 'e', ƒ: 'f' },
  }),
);

/**
 * The warehouse schema of an integration name: lower case, accents dropped, every run of other
 * characters one underscore; `.`, `'`, brackets vanish ("Close.io" → `closeio`, as Stitch shows it).
 */
export function schemaName(integrationName: string): { schema: string; problem?: NameProblem } {
  const schema = integrationName
    .normalize('NFKD')
    .replace(/[\u0300-\u036f.()'’]/g, '')
    .toLowerCase()
    .replace(/[^\0-\x7f]/gu, (letter) => UNACCENTED.get(letter) ?? letter)
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (schema === '') return { schema, problem: 'NAME_EMPTY' };
  if (schema.length > TABLE_BYTES_MAX) return { schema, problem: 'NAME_TOO_LONG' };
  if (RESERVED_SCHEMAS.has(schema) || schema.startsWith('pg_')) {
    return { schema, problem: 'NAME_RESERVED' };
  }
  return { schema };
}

const REBUILD_ENDING = '__rebuild';
const REPLACED_ENDING = '__replaced';
/** The longest schema name that leaves room for these endings. */
export const REBUILD_BYTES_MAX = TABLE_BYTES_MAX - REPLACED_ENDING.length;

/**
 * Where the tables of a connection are made anew. No connection can have this schema for its own,
 * since a name never makes two underscores in a row.
 */
export function rebuildSchema(schema: string): string {
  return schema + REBUILD_ENDING;
}

/** Where the old tables are once the new ones have taken their place. */
export function replacedSchema(schema: string): string {
  return schema + REPLACED_ENDING;
}

/** The connection that a schema belongs to: itself, or the one whose tables are made anew in it. */
export function connectionSchema(schema: string): string {
  return schema.endsWith(REBUILD_ENDING) ? schema.slice(0, -REBUILD_ENDING.length) : schema;
}

/**
 * A free name of at most `bytesMax` bytes for the thing at `path`. `wanted` is taken as it is when
 * it fits and is free; else it is cut and gets a hash of `path`, which tells two fields apart that
 * share their first bytes.
 */
export function chooseName(
  wanted: string,
  path: string,
  taken: ReadonlySet<string>,
  bytesMax: number,
): string {
  // `"` would have to be doubled in every query that a person writes; NUL cannot be in a name.
  const clean = wanted.replace(/[\0"]/g, '').toWellFormed() || 'field';
  if (byteLength(clean) <= bytesMax && !taken.has(clean)) return clean;
  for (let attempt = 0; ; attempt += 1) {
    const hash = fnv1a(attempt === 0 ? path : `${path}#${attempt}`);
    const tag = `_${hash.toString(16).padStart(8, '0')}`;
    const name = cutToBytes(clean, bytesMax - tag.length) + tag;
    if (!taken.has(name)) return name;
  }
}

/** Length in UTF-8. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) bytes += characterBytes(character);
  return bytes;
}

function characterBytes(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

function cutToBytes(text: string, bytesMax: number): string {
  let bytes = 0;
  let cut = '';
  for (const character of text) {
    bytes += characterBytes(character);
    if (bytes > bytesMax) break;
    cut += character;
  }
  return cut;
}

/** FNV-1a, 32 bits: stable for ever. Two texts may have the same. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}
