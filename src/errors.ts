import { CLOSE_ERRORS } from './errors/close.js';
import { DATABASE_ERRORS } from './errors/database.js';
import type { ErrorEntry, Recovery } from './errors/entry.js';
import { LOCAL_ERRORS } from './errors/local.js';
import { REQUEST_ERRORS } from './errors/request.js';

/**
 * The only catalogue of errors. Each code says what happens next (`recovery`), what was wrong
 * (`message`) and what the reader can do about it (`next`).
 *
 * Messages are made of names and numbers: `{placeholders}` take the name of a setting, a table, a
 * port, a status. They never take a customer's value, a request body or a key, because messages
 * travel into Temporal histories, logs and the Web UI.
 */
export const ERRORS = {
  ...CLOSE_ERRORS,
  ...DATABASE_ERRORS,
  ...LOCAL_ERRORS,
  ...REQUEST_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

export type { ErrorEntry, Recovery };

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
