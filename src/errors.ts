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
    message: 'The integration name makes a schema name of {length} characters; {limit} is the most.',
    next: 'Give a shorter name.',
  },
  NAME_RESERVED: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'The integration name would make the schema "{schema}", which is reserved.',
    next: 'Give another name, such as "Stitch Closeio".',
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

  constructor(code: ErrorCode, values: ErrorValues = {}, options: ErrorOptions = {}) {
    const entry: ErrorEntry = ERRORS[code];
    super(fill(entry.message, values));
    // Not enumerable: loggers and serialisers walk enumerable properties, and a cause may carry a
    // request (with its key) or a row (with a customer's data).
    Object.defineProperty(this, 'cause', { value: options.cause, enumerable: false });
    this.code = code;
    this.recovery = entry.recovery;
    this.next = fill(entry.next, values);
    this.exitCode = entry.exitCode ?? 1;
    this.retryAfterMs = options.retryAfterMs;
  }
}

function fill(template: string, values: ErrorValues): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
