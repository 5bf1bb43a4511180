import { ClosehaulError, type ErrorCode } from '../errors.js';

/**
 * PostgreSQL's errors, mapped by what happens next. Only SQLSTATE and names of schema objects leave
 * this adapter: `detail`, `where` and even some messages carry the values of the failing row.
 */
export function databaseError(error: unknown): Error {
  if (error instanceof ClosehaulError || isMistakeOfOurs(error)) return error;
  const { code, table, column, constraint } = fieldsOf(error);
  const sqlstate = code ?? 'none';
  const place = [table, column, constraint].filter((name) => name !== undefined).join('.');
  return new ClosehaulError(
    codeFor(code),
    { sqlstate, place: place === '' ? 'the database' : place },
    { cause: error },
  );
}

/** An error of JavaScript's own is no answer of PostgreSQL, and must not be retried as one. */
function isMistakeOfOurs(error: unknown): error is Error {
  const kinds = [TypeError, RangeError, ReferenceError, SyntaxError];
  return kinds.some((kind) => error instanceof kind) && fieldsOf(error).code === undefined;
}

/** True for an error that one record causes, so that the rest of its page can be loaded. */
export function isRecordFault(error: unknown): boolean {
  const { code } = fieldsOf(error);
  return code !== undefined && isSqlstate(code) && codeFor(code) === 'RECORD_REFUSED';
}

/** True when a table or column of ours is not there any more: somebody dropped it by hand. */
export function isMissingObject(error: unknown): boolean {
  const { code } = fieldsOf(error);
  return code !== undefined && codeFor(code) === 'WAREHOUSE_OBJECT_MISSING';
}

export function sqlstateOf(error: unknown): string {
  return fieldsOf(error).code ?? 'none';
}

interface PgErrorFields {
  readonly code?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

/** Of an error that is ours already, what it was made from. */
function fieldsOf(error: unknown): PgErrorFields {
  if (error instanceof ClosehaulError) return fieldsOf(error.underlying());
  if (typeof error !== 'object' || error === null) return {};
  const { code, table, column, constraint } = error as Record<string, unknown>;
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof table === 'string' && { table }),
    ...(typeof column === 'string' && { column }),
    ...(typeof constraint === 'string' && { constraint }),
  };
}

/** In order: the first prefix that fits decides. */
const BY_PREFIX: readonly (readonly [string, ErrorCode])[] = [
  ['28', 'DATABASE_LOGIN_REFUSED'],
  ['3D000', 'DATABASE_MISSING'],
  ['42501', 'DATABASE_RIGHT_MISSING'],
  ['25006', 'DATABASE_UNAVAILABLE'],
  // The server ended a transaction that stood still for too long: this process had been stopped.
  ['25P03', 'DATABASE_UNAVAILABLE'],
  ['25P04', 'DATABASE_UNAVAILABLE'],
  ['08P01', 'DATABASE_BUG'],
  ['08', 'DATABASE_UNAVAILABLE'],
  ['40', 'DATABASE_UNAVAILABLE'],
  ['53', 'DATABASE_UNAVAILABLE'],
  ['55P03', 'DATABASE_UNAVAILABLE'],
  ['57', 'DATABASE_UNAVAILABLE'],
  ['58', 'DATABASE_UNAVAILABLE'],
  ['42P01', 'WAREHOUSE_OBJECT_MISSING'],
  ['42703', 'WAREHOUSE_OBJECT_MISSING'],
  ['3F000', 'WAREHOUSE_OBJECT_MISSING'],
  ['42P10', 'WAREHOUSE_KEY_MISSING'],
  ['0A000', 'WAREHOUSE_COPY_REFUSED'],
  ['42804', 'WAREHOUSE_TYPE_CHANGED'],
  ['22', 'RECORD_REFUSED'],
  ['23', 'RECORD_REFUSED'],
  ['54', 'RECORD_REFUSED'],
  // A trigger or a view of the users that raises: its default is P0001.
  ['09', 'RECORD_REFUSED'],
  ['27', 'RECORD_REFUSED'],
  ['44', 'RECORD_REFUSED'],
  ['P0', 'RECORD_REFUSED'],
];

function codeFor(code: string | undefined): ErrorCode {
  // No SQLSTATE: the connection broke.
  if (code === undefined || !isSqlstate(code)) return 'DATABASE_UNREACHABLE';
  return BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'DATABASE_BUG';
}

/** Five characters with a digit among them; Node's EPIPE has five and none. */
function isSqlstate(code: string): boolean {
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(code);
}
