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
