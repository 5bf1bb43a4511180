/**
 * The only catalogue of errors. Each code says what happens next (`recovery`), what was wrong
 * (`message`) and what the reader can do about it (`next`).
 *
 * Messages are made of names and numbers: `{placeholders}` take the name of a setting, a table, a
 * port, a status. They never take a customer's value, a request body or a key, because messages
 * travel into Temporal histories, logs and the Web UI.
 */

/**
 * - `retry`            Temporal tries again, with back-off, for ever
 * - `stop-connection`  the connection is blocked until an operator resumes it
 * - `fail-stream`      this stream is parked, the others go on
 * - `reject-record`    the record goes to `_sdc_rejected`, its page goes on
 * - `stop-command`     a command line ends with `exitCode`
 * - `bug`              ours to mend: stop loudly
 */
export type Recovery =
  'retry' | 'stop-connection' | 'fail-stream' | 'reject-record' | 'stop-command' | 'bug';

export interface ErrorEntry {
  readonly recovery: Recovery;
  /** Process exit code when a command ends on it; 1 when absent. 2 means wrong usage. */
  readonly exitCode?: 1 | 2 | 3;
  readonly message: string;
  readonly next: string;
}

export const ERRORS = {
  // Close
  CLOSE_KEY_REJECTED: {
    recovery: 'stop-connection',
    message: 'Close rejected the API key of connection {connection} (HTTP {status}).',
    next: 'Put a valid key into {variable}, restart or signal "resume"; nothing that was loaded is lost.',
  },
  CLOSE_URL_REFUSED: {
    recovery: 'stop-connection',
    exitCode: 2,
    message: 'The base URL of connection {connection} is not allowed: {reason}.',
    next: 'Set CLOSE_API_URL to an https: address, or to http: on this machine (localhost) for the sandbox.',
  },
  CLOSE_FORBIDDEN: {
    recovery: 'fail-stream',
    message: 'Close does not let the key of connection {connection} read {path} (HTTP 403).',
    next: "Give the role of the key's user access to it, or leave the stream out; the next sync tries it again.",
  },
  CLOSE_NOT_FOUND: {
    recovery: 'fail-stream',
    message: 'Close has no {path} for connection {connection} (HTTP 404).',
    next: 'Check that CLOSE_API_URL ends in /api/v1; else leave the stream out. The next sync tries it again.',
  },
  CLOSE_BAD_REQUEST: {
    recovery: 'fail-stream',
    message: 'Close refused the request to {path} (HTTP {status}; fields named: {fields}).',
    next: 'HTTP 402 means a limit of your Close plan. Else Close may have changed its API: update Closehaul.',
  },
  CLOSE_SKIP_TOO_FAR: {
    recovery: 'retry',
    message: 'Close pages {path} only up to row {maxSkip}.',
    next: 'Nothing to do: the range is read in smaller parts.',
  },
  CLOSE_WINDOW_TOO_DENSE: {
    recovery: 'fail-stream',
    message: 'Close holds more rows of {path} than it pages through in the {unit} from {from}.',
    next: 'Ask Close to raise the limit for your organization, or start the sync after that time.',
  },
  CLOSE_FILTER_IGNORED: {
    recovery: 'fail-stream',
    message: 'Close did not apply the filter on {field} to {path}.',
    next: 'Close may have changed its API: update Closehaul. Nothing that was loaded is lost.',
  },
  CLOSE_RATE_LIMITED: {
    recovery: 'retry',
    message: 'Close limits {group} for another {waitMs} ms.',
    next: 'Nothing to do: the sync goes on by itself. Other programs on the same key share the limit.',
  },
  CLOSE_UNAVAILABLE: {
    recovery: 'retry',
    message: 'Close did not answer {path}: {kind}.',
    next: 'Nothing to do if it passes; else look at status.close.com and at the network of this machine.',
  },
  CLOSE_TLS: {
    recovery: 'stop-connection',
    message: "The certificate of connection {connection}'s Close address is not valid: {kind}.",
    next: 'Check CLOSE_API_URL, the clock, and NODE_EXTRA_CA_CERTS behind a company proxy; then signal "resume".',
  },
  CLOSE_REDIRECTED: {
    recovery: 'stop-connection',
    message:
      'Close answered {path} with a redirect (HTTP {status}); it was not followed, to keep the key here.',
    next: 'Check CLOSE_API_URL of connection {connection}, then signal "resume".',
  },
  CLOSE_BODY_INCOMPLETE: {
    recovery: 'retry',
    message: 'The answer of {path} was cut or damaged on its way: {kind}.',
    next: 'Nothing to do if it passes; nothing of a damaged answer was loaded.',
  },
  CLOSE_UNEXPECTED_BODY: {
    recovery: 'retry',
    message:
      'The answer of {path} is not what Close documents: {kind} (HTTP {status}, {contentType}, {bytes} bytes).',
    next: 'Check CLOSE_API_URL and any proxy in between; else Close may have changed its API.',
  },
  CLOSE_BODY_TOO_LARGE: {
    recovery: 'fail-stream',
    message: 'The answer of {path} is larger than {bytesMax} bytes, even when read row by row.',
    next: 'One record is too large to load; shorten it in Close.',
  },
  CLOSE_PAGING_LOOP: {
    recovery: 'retry',
    message: 'Close promises more rows of {path} but gives no new ones.',
    next: 'Nothing to do if it passes; nothing was skipped.',
  },
  CLOSE_STREAM_UNKNOWN: {
    recovery: 'fail-stream',
    message: 'This version of Closehaul reads no stream {stream} with a part {part}.',
    next: 'Run "closehaul streams" for the names, and update every worker to one version.',
  },

  // Names
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
    message: 'The integration name would make the schema "{schema}", which is reserved.',
    next: 'Give another name, such as "Stitch Closeio".',
  },

  // Local stack
  HOME_NOT_WRITABLE: {
    recovery: 'stop-command',
    message: 'The folder {folder} cannot hold the embedded servers: {reason}.',
    next: 'Make the folder writable for this user, free some disk space, or set CLOSEHAUL_HOME to another folder.',
  },
  HOME_IN_USE: {
    recovery: 'stop-command',
    message: 'Process {pid} is already using {folder}.',
    next: 'Use that one, or end it (Ctrl-C in its terminal, or "kill {pid}") and start again; for a second stack set CLOSEHAUL_HOME to another folder.',
  },
  PORT_TAKEN: {
    recovery: 'stop-command',
    message: 'Port {port}, asked for {server}, is taken by another program.',
    next: 'End the program that listens on port {port}, or choose another port.',
  },
  POSTGRES_BINARY_MISSING: {
    recovery: 'stop-command',
    message: 'No usable PostgreSQL was found for {platform}: {reason}.',
    next: 'Run "npm ci" without "--omit=optional", or install PostgreSQL 14 or newer, or set DATABASE_URL to a server of yours.',
  },
  POSTGRES_START_FAILED: {
    recovery: 'stop-command',
    message: 'The embedded PostgreSQL did not start: {reason}.',
    next: 'Read {log}; mend what it names and start again, or set DATABASE_URL to a server of yours.',
  },
  TEMPORAL_CLI_NOT_FOUND: {
    recovery: 'stop-command',
    message: 'The Temporal command line at {path} cannot be used: {reason}.',
    next: 'Correct or unset TEMPORAL_CLI_PATH.',
  },
  TEMPORAL_CLI_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'No way led to a Temporal dev server:\n{tried}',
    next: 'Install the Temporal command line ("temporal" on PATH or TEMPORAL_CLI_PATH), or Python 3 with pip, or Go 1.25 or newer; or set TEMPORAL_ADDRESS to a server of yours.',
  },
  TEMPORAL_START_FAILED: {
    recovery: 'stop-command',
    message: 'The Temporal dev server did not start: {reason}.',
    next: 'Read {log}; mend what it names and start again, or set TEMPORAL_ADDRESS to a server of yours.',
  },
  TCTL_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'No way led to tctl:\n{tried}',
    next: 'Install tctl on PATH, or Go 1.21 or newer; or use "temporal workflow", which does the same.',
  },

  // Database
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
    next: 'It is made again by itself; rows that were in it need a backfill.',
  },
  RECORD_REFUSED: {
    recovery: 'reject-record',
    message: 'PostgreSQL refused a record (SQLSTATE {sqlstate} at {place}).',
    next: 'The record is kept in _sdc_rejected with this reason; the rest of its page is loaded.',
  },
  SLICE_TAKEN: {
    recovery: 'retry',
    message: 'Another attempt moved the checkpoint of stream {stream}; this one wrote nothing.',
    next: 'Nothing to do: the slice goes on from the checkpoint.',
  },

  // Connections
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
  ORGANIZATION_CHANGED: {
    recovery: 'stop-connection',
    message: 'The API key belongs to another Close organization than the data in schema {schema}.',
    next: 'Use a key of the same organization, or another name for the new one.',
  },

  // Requests
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

  // Configuration
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

  // Temporal
  TEMPORAL_UNREACHABLE: {
    recovery: 'stop-command',
    message: 'No Temporal server answers at {address}.',
    next: 'Start it, or correct TEMPORAL_ADDRESS; unset it to let "closehaul start" bring its own.',
  },
  WORKER_NOT_BUILT: {
    recovery: 'stop-command',
    message: 'The workflow bundle is missing.',
    next: 'Run "npm run build" first.',
  },

  // Commands
  USAGE: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'Wrong usage: {detail}',
    next: 'See "closehaul --help".',
  },
  SANDBOX_START_FAILED: {
    recovery: 'stop-command',
    message: 'The sandbox did not start.',
    next: 'Run "npx closehaul sandbox" to see why.',
  },
  DATABASE_UNKNOWN: {
    recovery: 'stop-command',
    message: 'No database is known: DATABASE_URL is not set and no embedded one runs here.',
    next: 'Set DATABASE_URL, or run "npm start" in this folder.',
  },
  CONNECTION_NOT_RUNNING: {
    recovery: 'stop-command',
    message: 'Workflow {workflow} does not run.',
    next: 'Start it with "closehaul create NAME"; it goes on where its tables are.',
  },
  WORKER_ABSENT: {
    recovery: 'stop-command',
    message: 'Workflow {workflow} runs, but no worker answered for it.',
    next: 'Start one: "closehaul worker", or "npm start".',
  },
  SYNC_INCOMPLETE: {
    recovery: 'stop-command',
    exitCode: 3,
    message: 'The sync ended incomplete: {problem}',
    next: 'What was loaded stays; the rest is tried again at the next sync.',
  },
  CONNECTION_ENDED: {
    recovery: 'stop-command',
    message: 'The workflow of the connection ended: {problem}',
    next: 'Mend what it says and start again; it goes on where its tables are.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Names and numbers only; see the rule at the top of this file. */
export type ErrorValues = Readonly<Record<string, string | number>>;

export interface ErrorOptions {
  /** Kept in memory for a debugger; never printed, never sent to Temporal. */
  readonly cause?: unknown;
  /** How long to wait before the next try, in milliseconds, when the other side told us. */
  readonly retryAfterMs?: number;
}

/** The one error class that leaves an adapter. */
export class ClosehaulError extends Error {
  override readonly name = 'ClosehaulError';
  readonly code: ErrorCode;
  readonly recovery: Recovery;
  readonly next: string;
  readonly exitCode: 1 | 2 | 3;
  readonly retryAfterMs: number | undefined;
  // Private, since loggers, serialisers and util.inspect print `cause` of an error, and it may carry
  // a request (with its key) or a row (with a customer's data).
  readonly #cause: unknown;

  constructor(code: ErrorCode, values: ErrorValues = {}, options: ErrorOptions = {}) {
    const entry: ErrorEntry = ERRORS[code];
    super(fill(entry.message, values));
    this.#cause = options.cause;
    this.code = code;
    this.recovery = entry.recovery;
    this.next = fill(entry.next, values);
    this.exitCode = entry.exitCode ?? 1;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** For a debugger and for tests; never for a log. */
  underlying(): unknown {
    return this.#cause;
  }
}

function fill(template: string, values: ErrorValues): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
