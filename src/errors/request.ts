import type { ErrorEntry } from './entry.js';

/** What can be wrong with what a person asks for: names, dates, settings, variables. */
export const REQUEST_ERRORS = {
  NAME_EMPTY: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The integration name holds no letter or digit that a schema name could be made of.',
    next: 'Give a name with at least one letter a-z or digit, such as "Stitch Closeio".',
  },
  NAME_TOO_LONG: {
    recovery: 'stop-command',
    exitCode: 2,
    message:
      'The integration name makes a schema name of {length} characters; {limit} is the most.',
    next: 'Give a shorter name.',
  },
  NAME_RESERVED: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The integration name would make a schema whose name is reserved.',
    next: 'Give another name, such as "Stitch Closeio".',
  },
  CONNECTION_UNKNOWN: {
    recovery: 'stop-command',
    message: 'No connection has the schema {schema}.',
    next: 'List them with "closehaul status", or make it with "closehaul create NAME".',
  },
  CONNECTION_TAKEN: {
    recovery: 'stop-command',
    message: 'The connection with schema {schema} is already run by workflow {workflow}.',
    next: 'Signal that workflow, or end it before another one is started. This one wrote nothing.',
  },
  NAME_TAKEN: {
    recovery: 'stop-command',
    message: 'Schema {schema} belongs to a connection of another name.',
    next: 'Choose a name that makes another schema.',
  },
  LAYOUT_FIXED: {
    recovery: 'stop-command',
    message:
      'The tables of schema {schema} have the layout {layout}, which is fixed since they were made.',
    next: 'Start it with that layout, or use "closehaul rebuild NAME --layout ..." to make them anew.',
  },
  REBUILD_OLD_TABLES_LEFT: {
    recovery: 'stop-command',
    message: 'Schema {replaced} still holds the tables that an earlier rebuild replaced.',
    next: 'Make what still reads them anew on schema {schema}, then DROP SCHEMA {replaced} CASCADE and signal "resume".',
  },
  REBUILD_NAME_TAKEN: {
    recovery: 'stop-command',
    message:
      'Schema {schema} has a relation {name} of somebody else; the new tables need that name.',
    next: 'Rename it or move it to another schema, then signal "resume".',
  },
  REBUILD_IN_USE: {
    recovery: 'stop-command',
    message: 'Schema {schema}, in which the new tables are being made, is used by {readers}.',
    next: 'Drop what uses it, then signal "resume".',
  },
  ORGANIZATION_CHANGED: {
    recovery: 'stop-connection',
    message: 'The API key belongs to another Close organization than the data in schema {schema}.',
    next: 'Use a key of the same organization, or another name for the new one.',
  },
  KEY_MISSING: {
    recovery: 'stop-connection',
    exitCode: 2,
    message: 'There is no Close API key for connection {connection}.',
    next: 'Set {variable} (or CLOSE_API_KEY), or {variable}_FILE with the name of a file that holds it.',
  },
  START_DATE_INVALID: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The start date is no ISO 8601 date.',
    next: 'Write it as 2024-01-31 or 2024-01-31T08:00:00Z.',
  },
  START_DATE_FUTURE: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The start date lies in the future.',
    next: 'Give a date before today; the default is one year ago.',
  },
  STREAM_UNKNOWN: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'There is no stream {stream}. Known streams: {known}.',
    next: 'Correct the list of streams, or leave it out to get all of them.',
  },
  LAYOUT_UNKNOWN: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'There is no such layout.',
    next: 'Use stitch (default), stitch-v2 or jsonb.',
  },
  EVERY_INVALID: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The replication frequency cannot be read, or is below 10s or above 31d.',
    next: 'Write it as a number with s, m, h or d: 30m, 6h, 1d.',
  },
  ANCHOR_INVALID: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The anchor is no time of day.',
    next: 'Write it as HH:MM in UTC: 02:00.',
  },
  SLICE_UNKNOWN: {
    recovery: 'fail-stream',
    message: 'A slice of stream {stream} has no checkpoint; its job was removed while it ran.',
    next: 'Nothing is lost: the next sync, or a new backfill, plans it again.',
  },
  CONFIG_INVALID: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The environment has variables that cannot be used: {names}.',
    next: 'Correct or remove them; README.md lists every variable with its form.',
  },
  KEY_EMPTY: {
    recovery: 'stop-command',
    exitCode: 2,
    message: '{variable} is set but empty.',
    next: 'Give it a Close API key, or unset it to run against the sandbox.',
  },
  KEY_MALFORMED: {
    recovery: 'stop-command',
    exitCode: 2,
    message:
      '{variable} does not hold a Close API key: it has spaces, colons or other characters that no key has.',
    next: 'Copy the key again from Close: Settings, Developer, API Keys. It begins with api_.',
  },
  SECRET_FILE_UNREADABLE: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The file that {variable} names cannot be read.',
    next: 'Correct its path, or let this user read it.',
  },
} as const satisfies Record<string, ErrorEntry>;
