import type { ErrorEntry } from './entry.js';

/** What can go wrong with PostgreSQL and the tables in it. */
export const DATABASE_ERRORS = {
  DATABASE_UNREACHABLE: {
    recovery: 'retry',
    message: 'PostgreSQL cannot be reached, or it ended the connection.',
    next: 'Start it, or correct host and port in DATABASE_URL; the sync goes on by itself.',
  },
  DATABASE_UNAVAILABLE: {
    recovery: 'retry',
    message: 'PostgreSQL cannot take the work just now (SQLSTATE {sqlstate} at {place}).',
    next: 'It is tried again by itself. If it lasts: look for a full disk, a long lock, too many connections.',
  },
  DATABASE_LOGIN_REFUSED: {
    recovery: 'stop-connection',
    message: 'PostgreSQL refused the login (SQLSTATE {sqlstate}).',
    next: 'Correct user and password in DATABASE_URL, then restart.',
  },
  DATABASE_MISSING: {
    recovery: 'stop-connection',
    message: 'The database that DATABASE_URL names does not exist.',
    next: 'Create it (createdb NAME), or name another one in DATABASE_URL.',
  },
  DATABASE_RIGHT_MISSING: {
    recovery: 'stop-connection',
    message: 'The database role lacks a right (SQLSTATE {sqlstate} at {place}).',
    next: 'As an owner: GRANT CREATE ON DATABASE <database> TO <role>; and let the role own the schemas closehaul and that of the connection.',
  },
  DATABASE_ENCODING: {
    recovery: 'stop-command',
    message: 'The database has the encoding {encoding}; Close sends texts that only UTF8 holds.',
    next: 'Create a database with ENCODING UTF8 and name it in DATABASE_URL.',
  },
  DATABASE_BUG: {
    recovery: 'bug',
    message: 'PostgreSQL refused a statement that we made (SQLSTATE {sqlstate} at {place}).',
    next: 'Nothing was loaded by it. Please report it with the SQLSTATE.',
  },
  WAREHOUSE_OBJECT_MISSING: {
    recovery: 'retry',
    message: 'A table or column of the warehouse is gone (SQLSTATE {sqlstate}).',
    next: 'It is made again by itself, and the stream is read again from the start date.',
  },
  RECORD_REFUSED: {
    recovery: 'reject-record',
    message: 'PostgreSQL refused a record (SQLSTATE {sqlstate} at {place}).',
    next: 'The record is kept in _sdc_rejected with this reason; the rest of its page is loaded.',
  },
  REJECTS_REFUSED: {
    recovery: 'fail-stream',
    message:
      'PostgreSQL refused rows of {schema}._sdc_rejected (SQLSTATE {sqlstate}); nothing of the page was loaded.',
    next: 'Take away the constraint or trigger that somebody put on _sdc_rejected; the next sync goes on.',
  },
  WAREHOUSE_REBUILT: {
    recovery: 'retry',
    message: 'The tables of schema {schema} were made anew; this attempt knew only the old ones.',
    next: 'Nothing to do: it goes on with the new ones.',
  },
  WAREHOUSE_KEY_MISSING: {
    recovery: 'fail-stream',
    message:
      'A table of the warehouse has lost its primary key or unique constraint (SQLSTATE {sqlstate}).',
    next: 'Add it again, or drop the table: it is made anew, and a backfill fills it.',
  },
  REJECTS_TAKEN: {
    recovery: 'stop-command',
    message: 'Rows of {schema}._sdc_rejected were taken away while they were loaded again.',
    next: 'Somebody else is at it, or deleted them; nothing of the page was changed. Try again.',
  },
  WAREHOUSE_COPY_REFUSED: {
    recovery: 'fail-stream',
    message:
      'PostgreSQL does not take rows by COPY into a table of the warehouse (SQLSTATE {sqlstate}).',
    next: 'Row-level security that is forced refuses it: ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or give our role BYPASSRLS.',
  },
  WAREHOUSE_NAME_TAKEN: {
    recovery: 'fail-stream',
    message: 'Schema {schema} has a table or view {name} that Closehaul did not make.',
    next: 'Rename or drop it, or replicate under another integration name, which makes another schema.',
  },
  WAREHOUSE_TYPE_CHANGED: {
    recovery: 'fail-stream',
    message: 'A column of the warehouse has another type than Closehaul gave it (at {place}).',
    next: 'Give it its type back, or drop it: it is made again, and its stream is read again.',
  },
  SLICE_TAKEN: {
    recovery: 'retry',
    message: 'Another attempt moved the checkpoint of stream {stream}; this one wrote nothing.',
    next: 'Nothing to do: the slice goes on from the checkpoint.',
  },
} as const satisfies Record<string, ErrorEntry>;
